import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { AddressInfo, NetConnectOpts, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The stores that are installed here. A test of what only a store can show runs with each. */
const COMMANDS = ['redis-server', 'valkey-server'].filter((name) => spawnSync(name, ['--version']).status === 0);
const COMMAND = COMMANDS.at(-1);

/** Whether a test with a real store can run here. Without one it is skipped, and says so. */
export function hasRedisServer(who: string): boolean {
  if (COMMAND === undefined)
    process.stderr.write(`SKIPPED: ${who}, neither valkey-server nor redis-server is installed\n`);
  return COMMAND !== undefined;
}

/** As `describe`, with each store that is installed. Where there is none it is skipped, and says so. */
export function describeWithEachStore(who: string, define: (command: string) => void): void {
  if (!hasRedisServer(who)) describe.skip(who, () => define('redis-server'));
  for (const command of COMMANDS) describe(`${who}, with ${command}`, () => define(command));
}

/** A store of its own, at a socket in a folder of its own. */
export async function startRedisServer(): Promise<{ readonly path: string; stop(): Promise<void> }> {
  const folder = mkdtempSync(join(tmpdir(), 'redis-'));
  const path = join(folder, 'socket');
  const options = ['--port', '0', '--unixsocket', path, '--save', '', '--appendonly', 'no', '--dir', folder];
  const child = spawn(COMMAND ?? 'redis-server', options, { stdio: 'ignore' });
  const exit = once(child, 'exit');
  await untilListening({ path }, () => child.exitCode !== null);
  return {
    path,
    stop: async () => {
      child.kill();
      await exit;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export interface RunningStore {
  readonly port: number;
  /** At once, as one that dies. */
  stop(): Promise<void>;
}

/** A store of its own, at a port of 127.0.0.1. */
export function startStore(...more: string[]): Promise<RunningStore> {
  return startStoreOf(COMMAND ?? 'redis-server', more);
}

/**
 * @param more options as on its command line; in place of the port those of TLS
 * @param tls that the port is one of TLS
 */
export async function startStoreOf(command: string, more: readonly string[] = [], tls = false): Promise<RunningStore> {
  const folder = mkdtempSync(join(tmpdir(), 'store-'));
  const port = await findPort();
  const ports = tls ? ['--port', '0', '--tls-port', String(port)] : ['--port', String(port)];
  const options = [...ports, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder];
  const allowed = ['--enable-debug-command', 'yes', '--repl-diskless-sync-delay', '0'];
  const child = spawn(command, [...options, ...allowed, ...more], { stdio: 'ignore' });
  const exit = once(child, 'exit');
  await untilListening({ port, host: '127.0.0.1' }, () => child.exitCode !== null);
  return {
    port,
    stop: async () => {
      child.kill('SIGKILL');
      await exit;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A store takes no port 0. */
async function findPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function untilListening(at: NetConnectOpts, hasEnded: () => boolean): Promise<void> {
  for (;;) {
    const socket = connect(at);
    const isThere = await new Promise((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => setTimeout(resolve, 10, false));
    });
    socket.destroy();
    if (isThere) return;
    if (hasEnded()) throw new Error('the store ended before it listened');
  }
}
