import http2 from 'node:http2';
import https from 'node:https';
import net, { AddressInfo } from 'node:net';
import { generate } from 'selfsigned';
import type { Outcome, Upstream } from '../../../../proxy/data-plane/contract/data-plane';
import { get, later, findPort, startBackend, startEngine, stopAll } from '../../support/world';

afterEach(stopAll);

const FROM = '127.0.78.9';

/** The address that a request through the engine came from, as its backend saw it. */
async function seenBy(upstream: Upstream): Promise<string> {
  const engine = await startEngine(upstream.port, { decide: () => ({ forward: { upstream } }) });
  return (await get({ port: engine.port })).body;
}

async function listening(server: net.Server, host = '127.0.0.1'): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  later(() => void server.close());
  return (server.address() as AddressInfo).port;
}

test('over HTTP/1.1, TLS and HTTP/2 an upstream sees the address that was asked for', async () => {
  const { port } = await startBackend((request, response) => response.end(request.socket.remoteAddress));
  expect(await seenBy({ protocol: 'http', host: '127.0.0.1', port, localAddress: FROM })).toBe(FROM);
  expect(await seenBy({ protocol: 'http', host: '127.0.0.1', port })).toBe('127.0.0.1');

  const { cert, private: key } = await generate([{ name: 'commonName', value: 'a' }], { keyType: 'ec' });
  const secure = https.createServer({ cert, key }, (request, response) => response.end(request.socket.remoteAddress));
  later(() => secure.closeAllConnections());
  const trust = { verifyCertificate: false, localAddress: FROM };
  expect(await seenBy({ protocol: 'https', host: '127.0.0.1', port: await listening(secure), ...trust })).toBe(FROM);

  const plain = http2.createServer((request, response) => response.end(`${request.socket.remoteAddress}`));
  const h2 = { isHttp2: true, localAddress: FROM };
  expect(await seenBy({ protocol: 'http', host: '127.0.0.1', port: await listening(plain), ...h2 })).toBe(FROM);
});

test('an upstream of the other family is connected to as without one', async () => {
  const { server } = await startBackend((request, response) => response.end(request.socket.remoteAddress));
  expect(await seenBy({ protocol: 'http', host: '127.0.0.1', port: findPort(server), localAddress: '::1' })).toBe(
    '127.0.0.1',
  );
});

test('an address that this machine has not fails as such, and says so', async () => {
  const { port } = await startBackend((_request, response) => response.end());
  const upstream: Upstream = { protocol: 'http', host: '127.0.0.1', port, localAddress: '192.0.2.1' };
  const outcomes: Outcome[] = [];
  const settled = (outcome: Outcome) => void outcomes.push(outcome);
  const engine = await startEngine(port, { decide: () => ({ forward: { upstream, settled } }) });
  expect((await get({ port: engine.port })).status).toBe(502);
  // Not waited for, as a shortage would be.
  expect(outcomes).toMatchObject([{ failure: 'connectFailed', cause: { code: 'EADDRNOTAVAIL' } }]);
});
