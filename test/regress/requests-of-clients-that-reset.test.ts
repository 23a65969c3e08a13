import net from 'node:net';
import { later, startBackend, startEngine, stopAll, until } from '../proxy/support/world';

afterEach(stopAll);

/**
 * A client that sends its request and resets at once has no address any more when it is asked for: its request went to
 * the backend in the name of no one, so that the last address was one that the client had made up.
 */
test('a request whose client cannot be named any more reaches no backend without its address', async () => {
  const chains: (string | string[] | undefined)[] = [];
  const backend = await startBackend((request, response) => {
    chains.push(request.headers['x-forwarded-for']);
    response.end();
  });
  const engine = await startEngine(backend.port, {
    decide: (head) => ({
      forward: {
        upstream: { protocol: 'http', host: '127.0.0.1', port: backend.port },
        requestHeaders: { 'x-forwarded-for': `10.0.0.1, ${head.client.address}` },
      },
    }),
  });
  for (let n = 0; n < 50; n += 1) {
    const client = net.connect(engine.port, '127.0.0.1');
    later(() => void client.destroy());
    await new Promise((resolve) => client.once('connect', resolve));
    client.write('POST /pay HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n', () => client.resetAndDestroy());
    await new Promise((resolve) => client.once('close', resolve));
  }
  // A last client, which stays: when it gets a response the ones before it have been served or dropped.
  const last = net.connect(engine.port, '127.0.0.1');
  later(() => void last.destroy());
  last.write('GET /last HTTP/1.1\r\nHost: a\r\n\r\n');
  await until(() => last.bytesRead > 0);
  await until(() => engine.ledger.total === 0);
  expect(chains.filter((chain) => String(chain).endsWith(', '))).toEqual([]);
  expect(chains.length).toBeGreaterThan(0);
});
