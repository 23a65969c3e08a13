import { createHmac } from 'node:crypto';
import { HOST } from '../processes/ports.ts';

/** Live connections by kind, as the proxy's ledger has them. */
export type Active = Readonly<Record<string, number>>;

/** Asks the admin port for the ledger, signed as docs/proxy.md says. */
export async function activeConnections(port: number, secret: string): Promise<Active> {
  const path = '/drain-status';
  const time = String(Date.now());
  const signature = createHmac('sha256', secret).update(['GET', path, time, ''].join('\n')).digest('hex');
  const answer = await fetch(`http://${HOST}:${port}${path}`, {
    headers: { 'x-drainshift-time': time, 'x-drainshift-signature': signature },
    signal: AbortSignal.timeout(10_000),
  });
  if (answer.status !== 200) throw new Error(`'GET ${path}' must be answered with 200, got ${answer.status}`);
  return ((await answer.json()) as { active: Active }).active;
}

export function sumOf(active: Active): number {
  return Object.values(active).reduce((sum, count) => sum + count, 0);
}
