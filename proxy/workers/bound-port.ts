import { lookup } from 'node:dns/promises';
import { closeSync } from 'node:fs';
import net from 'node:net';
import type { HostPort } from '../../core/validation/host-port';

/** An address that is taken, and at which no process listens yet. */
export interface BoundPort {
  readonly at: HostPort;
  /** For a worker to listen at: it is one socket, for all that listen, and connections wait in its one queue. */
  readonly fd: number;
  /** Once or again. */
  close(): void;
}

/**
 * Takes an address without listening: a process that listens accepts too, and the primary cannot serve a connection.
 *
 * @throws Error as `listen` does, with `code` `EADDRINUSE` for a busy port
 * @see https://nodejs.org/api/net.html#class-netboundsocket
 */
export async function bindPort({ host, port }: HostPort): Promise<BoundPort> {
  if (typeof net.BoundSocket !== 'function') {
    throw new Error(`'workers' over 1 must run on Node.js 24.19 or newer, got ${process.versions.node}`);
  }
  const address = net.isIP(host) === 0 ? (await lookup(host)).address : host;
  const bound = new net.BoundSocket({ host: address, port });
  let isOpen = true;
  const close = () => {
    if (isOpen) bound.close();
    isOpen = false;
  };
  return { at: { host, port: bound.address().port }, fd: bound.fd(), close };
}

/** An address that another process took and handed on: a descriptor of this process. */
export function inheritedPort(at: HostPort, fd: number): BoundPort {
  let isOpen = true;
  const close = () => {
    if (isOpen) closeSync(fd);
    isOpen = false;
  };
  return { at, fd, close };
}
