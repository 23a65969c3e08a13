import { rmSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { dirname } from 'node:path';
import { announceReady } from '../processes/entry';
import { sendSignal } from '../processes/signal';
import { LocalStore, startLocalStore } from './local-store';

// Entry: a Valkey or Redis in memory, at a free port of 127.0.0.1, which ends with this process.

const ATTEMPTS = 3;

void start();

async function start(): Promise<void> {
  const { port, store } = await listen(ATTEMPTS);
  process.once('SIGTERM', () => void store.stop().then(() => process.exit(0)));
  announceReady({ url: `redis://127.0.0.1:${port}` });
}

/** Another process may take the port before the store does. */
async function listen(attempts: number): Promise<{ readonly port: number; readonly store: LocalStore }> {
  const port = await findPort();
  // However this process ends.
  const started = (pid: number) => void process.on('exit', () => sendSignal(pid, 'SIGTERM'));
  try {
    const store = await startLocalStore({ started, ended: () => undefined, log: process.stderr }, port);
    // Also where the rehearsal was killed, and this process is not asked to end in order.
    process.on('exit', () => rmSync(dirname(store.path), { recursive: true, force: true }));
    return { port, store };
  } catch (error) {
    if (attempts === 1) throw error;
    return listen(attempts - 1);
  }
}

function findPort(): Promise<number> {
  const server = createServer();
  return new Promise((resolve, reject) => {
    server.once('error', reject).listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
