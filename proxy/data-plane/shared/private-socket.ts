import { randomUUID } from 'node:crypto';
import { lstat, mkdtemp, readdir, rm, rmdir, unlink } from 'node:fs/promises';
import net, { Server, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const SOCKET = 'handover';
/** A folder has the process in its name. */
const PREFIX = 'drainshift-handover-';
/** A process of another container may be about to make its socket. */
const EMPTY_MS = 60_000;
const NAME = new RegExp(`^${PREFIX}(\\d+)-[A-Za-z0-9]{6}$`);

/** A Unix socket that only processes of this user reach. */
export interface PrivateSocket {
  readonly path: string;
  /** No process can connect any more, and nothing of it is left on the disk. */
  close(): Promise<void>;
}

/**
 * Where there can be no file for it (the folder is full, is read-only, has a path that is too long), Linux has sockets without one:
 * other users can connect to these, and have to know a secret all the same.
 *
 * @throws Error of the system, where there can be neither
 * @see https://man7.org/linux/man-pages/man7/unix.7.html
 */
export async function listenPrivately(accept: (socket: Socket) => void, folder = tmpdir()): Promise<PrivateSocket> {
  try {
    return await listenInFolder(accept, folder);
  } catch (error) {
    if (process.platform !== 'linux') throw error;
    return listenWithoutFile(accept).catch(() => Promise.reject(error as Error));
  }
}

async function listenWithoutFile(accept: (socket: Socket) => void): Promise<PrivateSocket> {
  const path = `\0${PREFIX}${process.pid}-${randomUUID()}`;
  const server = createServer(accept);
  await listen(server, path);
  server.unref();
  return { path, close: async () => void (server.listening && server.close()) };
}

function createServer(accept: (socket: Socket) => void): Server {
  return net.createServer({ pauseOnConnect: true, allowHalfOpen: true }, accept);
}

async function listenInFolder(accept: (socket: Socket) => void, folder: string): Promise<PrivateSocket> {
  // Made with mode 0700: the socket in it needs no rights of its own.
  const directory = await mkdtemp(join(folder, `${PREFIX}${process.pid}-`));
  const path = join(directory, SOCKET);
  const server = createServer(accept);
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

/** Removes what processes of this user that were killed have left. Whatever is in doubt stays. */
export async function removeLeftSockets(folder = tmpdir()): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  await Promise.all(names.map((name) => removeLeft(folder, name).catch(() => undefined)));
}

async function removeLeft(folder: string, name: string): Promise<void> {
  const pid = Number(NAME.exec(name)?.[1]);
  const directory = join(folder, name);
  if (!(pid > 0) || isAlive(pid)) return;
  const found = await lstat(directory);
  if (!found.isDirectory() || found.uid !== process.getuid?.()) return;
  // Killed before it had a socket; the folder of one that has is not empty, and stays.
  if (
    Date.now() - found.mtimeMs > EMPTY_MS &&
    (await rmdir(directory).then(
      () => true,
      () => false,
    ))
  )
    return;
  const path = join(directory, SOCKET);
  // A process of another container has another number here, and listens all the same.
  if (!(await isRefused(path))) return;
  await unlink(path);
  await rmdir(directory);
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

/** It is a socket at which no process listens. */
function isRefused(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(path, () => {
      socket.destroy();
      resolve(false);
    });
    socket.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code === 'ECONNREFUSED'));
  });
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
