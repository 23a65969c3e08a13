import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const COMMAND = ['valkey-server', 'redis-server'].find((name) => spawnSync(name, ['--version']).status === 0);

/** Whether a test with a real store can run here. Without one it is skipped, and says so. */
export function hasRedisServer(who: string): boolean {
  if (COMMAND === undefined)
    process.stderr.write(`SKIPPED: ${who}, neither valkey-server nor redis-server is installed\n`);
  return COMMAND !== undefined;
}

/** A store of its own, at a socket in a folder of its own. */
export async function startRedisServer(): Promise<{ readonly path: string; stop(): Promise<void> }> {
  const folder = mkdtempSync(join(tmpdir(), 'redis-'));
  const path = join(folder, 'socket');
  const options = ['--port', '0', '--unixsocket', path, '--save', '', '--appendonly', 'no', '--dir', folder];
  const child = spawn(COMMAND ?? 'redis-server', options, { stdio: 'ignore' });
  const exit = once(child, 'exit');
  await untilListening(path, () => child.exitCode !== null);
  return {
    path,
    stop: async () => {
      child.kill();
      await exit;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function untilListening(path: string, hasEnded: () => boolean): Promise<void> {
  for (;;) {
    const socket = connect(path);
    const isThere = await new Promise((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => setTimeout(resolve, 10, false));
    });
    socket.destroy();
    if (isThere) return;
    if (hasEnded()) throw new Error('the store ended before it listened');
  }
}
