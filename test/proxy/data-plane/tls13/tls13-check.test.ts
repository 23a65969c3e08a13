import crypto from 'node:crypto';
import tls, { TLSSocket } from 'node:tls';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { generate } from 'selfsigned';
import { reachVerdict } from '../../../../proxy/data-plane/shared/self-check';
import { Tls13Connections } from '../../../../proxy/data-plane/tls13/tls13-connections';
import { StreamTransport } from '../../../../proxy/data-plane/transport/stream-transport';
import { CertificatePair, tryTls13 } from '../../../../proxy/data-plane/tls13/tls13-check';

let certificate: CertificatePair;
beforeAll(async () => {
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'localhost' }], { keyType: 'ec' });
  certificate = { cert, key };
});
afterEach(() => jest.restoreAllMocks());

test('a connection of this Node.js can be continued', async () => {
  expect(await tryTls13(certificate)).toEqual({ result: 'right' });
});

test('where FIPS mode is on, none is', async () => {
  jest.spyOn(crypto, 'getFips').mockReturnValue(1);
  expect(await tryTls13(certificate)).toEqual({ result: 'wrong', why: 'FIPS mode is on' });
});

test('a machine that is too slow proves nothing', async () => {
  expect(await tryTls13(certificate, 0)).toMatchObject({ result: 'untried' });
});

/** What another Node.js might do: have no such call, or one that says something else. */
test.each([
  ['getCipher', () => undefined, /cipherSuite/],
  ['getSession', undefined, /getSession/],
  ['readStop', undefined, /readStop/],
])('where %s of its handle does otherwise, the check says so', async (name, value, why) => {
  const restore = replace(findTlsPrototype(), name, value);
  try {
    const verdict = await tryTls13(certificate).catch(reachVerdict);
    expect(verdict).toMatchObject({ result: 'wrong' });
    expect(verdict.why).toMatch(why);
  } finally {
    restore();
  }
});

function findTlsPrototype(): Record<string, unknown> {
  const { TLSWrap } = (
    process as unknown as { binding(name: string): { TLSWrap: { prototype: Record<string, unknown> } } }
  ).binding('tls_wrap');
  return TLSWrap.prototype;
}

function replace(prototype: Record<string, unknown>, name: string, value: unknown): () => void {
  const before = Object.getOwnPropertyDescriptor(prototype, name);
  Object.defineProperty(prototype, name, { value, configurable: true });
  return () => {
    if (before === undefined) delete prototype[name];
    else Object.defineProperty(prototype, name, before);
  };
}

test('connections are taken where the check says that they can be', async () => {
  const server = tls.createServer(certificate);
  const connections = new Tls13Connections(server, certificate);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const client = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
  const [socket] = (await once(server, 'secureConnection')) as [TLSSocket];
  const source = new StreamTransport(socket);
  await new Promise(setImmediate);
  expect(connections.take(source)).toBe('off');
  await connections.check.start();
  const taken = connections.take(source);
  expect(taken).toMatchObject({ proof: 'counted' });
  if (typeof taken !== 'string') taken.release();
  await once(client, 'close');
  server.close();
});
