import { mkdtemp, rm } from 'node:fs/promises';
import net, { Server, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A Unix socket that only processes of this user reach. */
export interface PrivateSocket {
  readonly path: string;
  /** No process can connect any more, and nothing of it is left on the disk. */
  close(): Promise<void>;
}

/** @throws Error of the system, where no directory can be made for it */
export async function listenPrivately(accept: (socket: Socket) => void): Promise<PrivateSocket> {
  // Made with mode 0700: the socket in it needs no rights of its own.
  const directory = await mkdtemp(join(tmpdir(), 'drainshift-'));
  const path = join(directory, 'handover');
  const server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true }, accept);
  try {
    await listen(server, path);
  } catch (error) {
    await rm(directory, { recursive: true, force: true });
    throw error;
  }
  server.unref();
  return {
    path,
    close: async () => {
      if (server.listening) server.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => {
      server.off('error', reject);
      server.on('error', () => undefined);
      resolve();
    });
  });
}
