import https from 'node:https';
import type { TLSSocket } from 'node:tls';
import type { AddressInfo } from 'node:net';
import { generate } from 'selfsigned';
import type { Upstream } from '../../../proxy/data-plane/contract/data-plane';
import { get, later, startEngine, stopAll } from '../support/world';

afterEach(stopAll);

const NAME = 'backend.test';

/** An HTTPS backend whose certificate is for `NAME`, with what it saw of the handshakes. */
async function startSecure() {
  const { cert, private: key } = await generate([{ name: 'commonName', value: NAME }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: NAME }] }],
  });
  const seen: { name: string | false | null; protocol: string | false | null }[] = [];
  const server = https.createServer({ cert, key, ALPNProtocols: ['http/1.1'] }, (request, response) => {
    const { servername, alpnProtocol } = request.socket as TLSSocket & { servername: string | false };
    seen.push({ name: servername, protocol: alpnProtocol });
    response.end('ok');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  later(() => {
    server.close();
    server.closeAllConnections();
  });
  const upstream: Upstream = { protocol: 'https', host: '127.0.0.1', port: (server.address() as AddressInfo).port };
  return { upstream, cert, seen };
}

async function ask(upstream: Upstream) {
  const engine = await startEngine(upstream.port, { decide: () => ({ forward: { upstream } }) });
  return get({ port: engine.port, headers: { host: 'client.example' } });
}

test('a certificate of an authority that is given, for the name that is given, is trusted', async () => {
  const { upstream, cert, seen } = await startSecure();
  expect(await ask({ ...upstream, authorities: cert, serverName: NAME })).toMatchObject({ status: 200, body: 'ok' });
  // The server name is the upstream's and not the client's Host.
  expect(seen).toEqual([{ name: NAME, protocol: 'http/1.1' }]);
});

test.each([
  ['an authority that no one gave', { serverName: NAME }],
  ['another name', { serverName: 'other.test', withAuthority: true }],
  ['no name but an address', { withAuthority: true }],
])(
  '%s is not trusted',
  async (_, { withAuthority = false, ...given }: { withAuthority?: boolean; serverName?: string }) => {
    const { upstream, cert, seen } = await startSecure();
    const response = await ask({ ...upstream, ...given, ...(withAuthority && { authorities: cert }) });
    expect(response).toMatchObject({ status: 502, body: 'certificateRejected' });
    expect(seen).toEqual([]);
  },
);
