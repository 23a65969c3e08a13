import { connect, createServer, type AddressInfo } from 'node:net';
import type { Child } from './children';

export const HOST = '127.0.0.1';

/** A port that was free a moment ago, for programs that cannot be asked which one they took. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, HOST, resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Resolves when something accepts connections there. @throws Error when `child` ends before, or after 15 s. */
export async function listening(port: number, child: Child, host = HOST): Promise<void> {
  const deadline = performance.now() + 15_000;
  while (!(await accepts(port, host))) {
    if (!child.isRunning())
      throw new Error(`${child.name} ended at its start (${await child.ended}): ${child.logTail()}`);
    if (performance.now() > deadline)
      throw new Error(`${child.name} did not listen on port ${port} within 15 s: ${child.logTail()}`);
    await pause(20);
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function accepts(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, host);
    const end = (is: boolean) => {
      socket.destroy();
      resolve(is);
    };
    socket.once('connect', () => end(true)).once('error', () => end(false));
  });
}
