import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { UsageError } from '../errors/usage-error';
import type { ProcessHooks } from '../processes/processes';

const COMMANDS = ['valkey-server', 'redis-server'];

export interface LocalStore {
  /** Of its socket. */
  readonly path: string;
  stop(): Promise<void>;
}

/** @throws UsageError where neither is installed */
export function findStoreCommand(): string {
  const command = COMMANDS.find((name) => spawnSync(name, ['--version']).status === 0);
  if (command !== undefined) return command;
  throw new UsageError(`one of ${COMMANDS.join(' and ')} must be installed, got none`);
}

/**
 * A Valkey or Redis of its own, in memory and at a socket in a folder of its own.
 *
 * @param port at which it listens, too, on 127.0.0.1. @default - at the socket alone
 * @throws UsageError where neither is installed
 */
export async function startLocalStore({ started, ended, log }: ProcessHooks, port = 0): Promise<LocalStore> {
  const command = findStoreCommand();
  const folder = await mkdtemp(join(tmpdir(), 'drainshift-store-'));
  const path = join(folder, 'socket');
  const options = [
    '--port',
    `${port}`,
    '--bind',
    '127.0.0.1',
    '--unixsocket',
    path,
    '--save',
    '',
    '--appendonly',
    'no',
    '--dir',
    folder,
  ];
  const child = spawn(command, options, { detached: true, stdio: ['ignore', 'pipe', 'ignore'] });
  const exit = once(child, 'exit').finally(() => ended(child.pid ?? 0));
  if (child.pid !== undefined) started(child.pid);
  child.stdout.on('data', (chunk) => log.write(chunk));
  const stop = async () => {
    child.kill();
    await exit;
    await rm(folder, { recursive: true, force: true });
  };
  while (!(await responds(path))) {
    if (child.exitCode !== null) {
      await stop();
      throw new Error(`'${command}' must listen, got exit code ${child.exitCode}`);
    }
    await pause(20);
  }
  return { path, stop };
}

function responds(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const end = (is: boolean) => {
      socket.destroy();
      resolve(is);
    };
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
  });
}
