import { once } from 'node:events';
import { createServer } from 'node:net';

/** The first two numbers of the addresses that the rehearsal's own clients come from, each from one of its own. */
const CLIENTS = '127.1';
const CLIENTS_A_BLOCK = 250;

/** By which the load balancer tells the rehearsal's own clients, and no other, which side it chose. */
export const SIDE_HEADER = 'x-drainshift-side';

/** The demo's backends, where a machine has so many addresses. */
export const BACKEND_HOSTS = { source: '127.2.0.1', target: '127.2.0.2' } as const;

/**
 * Whether this machine responds on all of 127.0.0.0/8, as Linux does. macOS has 127.0.0.1 alone: then no hop can be told from
 * another one.
 */
export async function hasLoopbackNetwork(): Promise<boolean> {
  const server = createServer();
  try {
    server.listen(0, clientAddress(0));
    await once(server, 'listening');
    return true;
  } catch {
    return false;
  } finally {
    server.close();
  }
}

/** @param index of a client, from 0 */
export function clientAddress(index: number): string {
  return `${CLIENTS}.${Math.floor(index / CLIENTS_A_BLOCK) % 256}.${1 + (index % CLIENTS_A_BLOCK)}`;
}

/** Whether it is one of the rehearsal's own clients that comes from there. */
export function isClientAddress(address: string): boolean {
  return address.startsWith(`${CLIENTS}.`);
}

/** Whether who is there can be reached from an address of 127.0.0.0/8. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || /^127(\.\d+){3}$/.test(host);
}
