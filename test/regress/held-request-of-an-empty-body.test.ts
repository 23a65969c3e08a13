import http2 from 'node:http2';
import { callAdmin, startTestProxy } from '../proxy/support/proxy-world';
import { later, startBackend, stopAll, until } from '../proxy/support/world';

afterEach(stopAll);

/**
 * A request over HTTP/2 whose empty body ends in a frame of its own was asked of the upstream without an end when it had
 * been held: `node:http2` tells that end beside a paused stream, while no upstream was known. It ended in a 504.
 */
test('a held request whose body turns out to be empty is sent whole, and gets a response', async () => {
  const methods: string[] = [];
  const backend = await startBackend((request, response) => {
    methods.push(request.method ?? '');
    request.resume().on('end', () => response.end('served'));
  });
  const proxy = await startTestProxy(backend.port, { timeouts: { upstreamIdleMs: 2_000 } });
  const order = (path: string, body: object) =>
    callAdmin(proxy.admin!.port, { method: 'POST', path, body: JSON.stringify(body) });
  await order('/hold', { epoch: 1, leaseMs: 60_000, maxWaiting: 10 });

  const session = http2.connect(`http://127.0.0.1:${proxy.data.port}`);
  later(() => session.destroy());
  const stream = session.request({ ':method': 'POST', ':path': '/' });
  let status = 0;
  let text = '';
  stream.on('response', (headers) => (status = headers[':status'] ?? 0));
  stream.on('data', (bytes: Buffer) => (text += bytes.toString()));
  await until(() => proxy.report().hold.waiting === 1);
  stream.end();
  // Behind the end on the same connection: when this gets a response the proxy has read that, too.
  await new Promise((resolve) => session.ping(() => resolve(undefined)));
  await order('/release', { epoch: 1, to: 'source' });
  await until(() => stream.closed);
  expect({ status, text, methods }).toEqual({ status: 200, text: 'served', methods: ['POST'] });
});
