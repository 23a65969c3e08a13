import http2, { Http2ServerRequest } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { generate } from 'selfsigned';
import { Generators } from '../../rehearsal/traffic/generators';
import { until } from '../support/until';

// Where a group speaks HTTP/2 alone, a shopper that waited for a response went on, and then found its own cart wrong.

const NONE = { shop: 0, keepAlive: 0, newConnection: 0, http2: 0, echo: 0, webSockets: 0, eventStreams: 0, chats: 0 };
/** Longer than from one act of a user to the next. */
const SLOW_MS = 1_500;

test('a shopper does one thing after the other, however slow the responses are', async () => {
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'shop.example.com' }], { keyType: 'ec' });
  const atOnce = new Map<unknown, number>();
  let [max, ended] = [0, 0];
  const server = http2.createSecureServer({ cert, key }, ({ stream }: Http2ServerRequest, response) => {
    const { session } = stream;
    const count = (atOnce.get(session) ?? 0) + 1;
    atOnce.set(session, count);
    max = Math.max(max, count);
    setTimeout(() => {
      atOnce.set(session, (atOnce.get(session) ?? 0) - 1);
      ended += 1;
      response.end('{"session":"a","items":[]}');
    }, SLOW_MS);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const generators = new Generators({
    origin: 'https://shop.example.com',
    connectTo: { host: '127.0.0.1', port: (server.address() as AddressInfo).port },
    ca: cert,
    rates: { ...NONE, shop: 4 },
    isHttp2Only: true,
  });
  generators.start();
  await until(() => ended >= 3);
  await generators.stop();
  server.close();
  expect(max).toBe(1);
});
