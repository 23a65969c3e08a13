import { spawn } from 'node:child_process';
import { join } from 'node:path';
import type { LedgerReport } from '../../../../core/proxy/admin-api';
import { total } from '../../../../core/proxy/connections';
import { SECRET, findReport } from '../../support/proxy-world';
import { later, until } from '../../support/world';

const COMMAND = join(__dirname, '../../../../dist/bin/drainshift.js');
/** pino's number for errors of our own. */
const ERROR_LEVEL = 50;

interface Line {
  readonly level: number;
  readonly msg: string;
  readonly data?: string;
  readonly admin?: string;
}

export interface ProxyCommand {
  readonly port: number;
  readonly adminPort: number;
  /** Errors of our own that it logged or said, and that it ended when it did. */
  readonly problems: () => string[];
  /** Asks for an end in order, and resolves to the exit code. */
  readonly end: () => Promise<number | null>;
}

/**
 * `npx drainshift proxy` in front of an upstream's port, as whoever installed the package runs it: compiled, a process of
 * its own. It is ended after the test, at once.
 */
export async function startProxyCommand(
  upstreamPort: number,
  { flags = [], port = 0 }: { readonly flags?: readonly string[]; readonly port?: number } = {},
): Promise<ProxyCommand> {
  const places = ['--listen', `127.0.0.1:${port}`, '--admin', '127.0.0.1:0'];
  const upstream = ['--upstream', `http://127.0.0.1:${upstreamPort}`, '--propagation-seconds', '0'];
  const child = spawn(process.execPath, [COMMAND, 'proxy', ...places, ...upstream, ...flags], {
    env: { DRAINSHIFT_ADMIN_SECRET: SECRET },
  });
  const lines: Line[] = [];
  let stderr = '';
  let hasExited = false;
  const exit = new Promise<number | null>((resolve) => child.once('close', resolve));
  void exit.then(() => (hasExited = true));
  later(async () => {
    // One signal twice may come as one; these two are told apart, and the second ends it at once.
    child.kill('SIGTERM');
    child.kill('SIGINT');
    await exit;
  });
  eachLine(child.stdout, (text) => lines.push(JSON.parse(text) as Line));
  child.stderr.on('data', (bytes: Buffer) => (stderr += bytes.toString()));
  const listening = () => lines.find(({ msg }) => msg === 'Listening');
  await until(
    () => listening() !== undefined,
    () => (hasExited ? `an exit: ${stderr} (npm run build makes what is run here)` : undefined),
  );
  return {
    port: portIn(listening()?.data),
    adminPort: portIn(listening()?.admin),
    problems: () => [
      ...lines.filter(({ level }) => level >= ERROR_LEVEL).map((line) => JSON.stringify(line)),
      ...(stderr === '' ? [] : [stderr]),
      ...(hasExited ? [`it ended with exit code ${child.exitCode}`] : []),
    ],
    end: () => {
      child.kill('SIGTERM');
      return exit;
    },
  };
}

function eachLine(stream: NodeJS.ReadableStream, notified: (line: string) => void): void {
  let pending = '';
  stream.on('data', (bytes: Buffer) => {
    const parts = (pending + bytes.toString()).split('\n');
    pending = parts.pop() ?? '';
    for (const part of parts) notified(part);
  });
}

function portIn(address: string | undefined): number {
  return Number(address?.split(':').at(-1));
}

/** Waits for what the proxy says of itself, asking it again and again. */
export function untilReported(proxy: ProxyCommand, condition: (report: LedgerReport) => boolean): Promise<void> {
  return until(async () => condition(await findReport(proxy.adminPort)));
}

/** Resolves to the proxy's problems when nothing is live any more: a stock client must cause none. */
export async function problemsOnceAllIsOver(proxy: ProxyCommand): Promise<string[]> {
  if (proxy.problems().length === 0) await untilReported(proxy, ({ active }) => total(active) === 0);
  return proxy.problems();
}
