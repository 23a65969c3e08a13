import type { AddressInfo } from 'node:net';
import tls, { TLSSocket } from 'node:tls';
import { SelfCheck, Verdict, withinTime } from '../shared/self-check';
import { CHECK_MS, tryBothWays, wrong } from './handle-transport-check';
import { hasBinding, tlsHandle } from './native';
import { TlsTransport } from './tls-transport';

/** In PEM. */
export interface CertificatePair {
  readonly cert: string;
  readonly key: string;
}

let check: SelfCheck | undefined;

/**
 * Whether this Node.js handles TLS connections as `TlsTransport` knows: tried once a process, with the first certificate that it
 * serves, and again while there is no result.
 */
export function tlsFastPath(pair: CertificatePair): SelfCheck {
  return (check ??= new SelfCheck(() => tryTlsTransport(pair)));
}

/** As `tryHandleTransport`, over TLS. */
export async function tryTlsTransport(pair: CertificatePair, limitMs = CHECK_MS): Promise<Verdict> {
  if (!hasBinding) return wrong('this Node.js has no such handles');
  const sockets: { destroy(): void }[] = [];
  const server = tls.createServer({ cert: pair.cert, key: pair.key, minVersion: 'TLSv1.2' });
  server.on('connection', (socket: TLSSocket) => sockets.push(socket));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  try {
    return await withinTime(tryBetween(server, sockets), limitMs);
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
  }
}

async function tryBetween(server: tls.Server, sockets: { destroy(): void }[]): Promise<Verdict> {
  const { port } = server.address() as AddressInfo;
  // In the call: what the client sends may be read right behind it.
  const accepting = new Promise<TlsTransport | undefined>((resolve) => {
    server.once('secureConnection', (socket) => resolve(isKnown(socket) ? new TlsTransport(socket) : undefined));
  });
  const client = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
  sockets.push(client);
  const failed = new Promise<never>((_, reject) => {
    client.on('error', reject);
    server.on('tlsClientError', reject);
  });
  failed.catch(() => undefined);
  await Promise.race([new Promise((resolve) => client.once('secureConnect', resolve)), failed]);
  const transport = await Promise.race([accepting, failed]);
  if (transport === undefined) return wrong('a TLS socket has another handle');
  sockets.push(transport);
  return Promise.race([tryBothWays(transport, client), failed]);
}

/** What `TlsTransport` asks besides the calls of every handle. */
function isKnown(socket: TLSSocket): boolean {
  const { writeQueueSize, _parent: parent } = tlsHandle(socket);
  return typeof writeQueueSize === 'number' && typeof parent.writeQueueSize === 'number';
}
