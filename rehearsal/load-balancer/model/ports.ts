import { UsageError } from '../../errors/usage-error';
import type { ElbModel } from './model';

/** The lowest port that everybody may bind, unless the machine says otherwise. */
const FIRST_FREE_PORT = 1024;

/**
 * Gives every listener a port of this machine; 0 is any free one.
 *
 * @param ports by the template's port
 * @throws UsageError for a port that no listener has
 */
export function assignPorts({ listeners }: ElbModel, ports: ReadonlyMap<number, number>): void {
  const known = [...listeners.values()].map(({ templatePort }) => templatePort);
  for (const port of ports.keys()) {
    if (!known.includes(port))
      throw new UsageError(`'--map-port' must name a listener's port (${known.join(', ')}), got ${port}`);
  }
  for (const listener of listeners.values()) {
    listener.port = ports.get(listener.templatePort) ?? unprivileged(listener.templatePort);
  }
}

/** Root binds any port; for others a listener on a low port moves up by 8000: 443 is 8443. */
function unprivileged(port: number): number {
  return port < FIRST_FREE_PORT && process.getuid?.() !== 0 ? port + 8000 : port;
}
