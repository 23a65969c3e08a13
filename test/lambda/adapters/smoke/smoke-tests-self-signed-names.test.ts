import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { generate } from 'selfsigned';
import { get } from '../../../../lambda/adapters/smoke/smoke-request';

const servers: https.Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

const DAY_MS = 86_400_000;

/** Serves 200 under a certificate of this name, which begins and ends so many days from now. */
async function serve(name: string, begins = -1, ends = 1): Promise<number> {
  const at = (days: number) => new Date(Date.now() + days * DAY_MS);
  const pems = await generate([{ name: 'commonName', value: name }], {
    keyType: 'ec',
    notBeforeDate: at(begins),
    notAfterDate: at(ends),
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: name }] }],
  });
  const server = https.createServer({ cert: pems.cert, key: pems.private }, (_, response) => response.end('well'));
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

const smoke = (port: number, isSelfSigned: boolean) =>
  get({ host: '127.0.0.1', port, path: '/', name: 'shop.example.com', trust: isSelfSigned ? 'selfSigned' : 'signed' });

test('a self-signed certificate passes where the migration made it, and nowhere else', async () => {
  const port = await serve('shop.example.com');
  expect(await smoke(port, true)).toBe(200);
  expect(await smoke(port, false)).toMatch(/self.signed/);
});

test('it must be good for the name', async () => {
  expect(await smoke(await serve('other.example.com'), true)).toMatch(/does not match certificate's altnames/);
});

test('it must be in its time', async () => {
  expect(await smoke(await serve('shop.example.com', -2, -1), true)).toMatch(/must be valid now/);
  expect(await smoke(await serve('shop.example.com', 1, 2), true)).toMatch(/must be valid now/);
});
