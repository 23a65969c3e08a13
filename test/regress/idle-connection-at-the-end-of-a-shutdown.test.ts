import net from 'node:net';
import { startTestProxy } from '../proxy/support/proxy-world';
import { later, startBackend, stopAll, until } from '../proxy/support/world';

afterEach(stopAll);

test('a request that is on its way when nothing is live still gets a response', async () => {
  const backend = await startBackend((_, response) => response.end('ok'));
  const proxy = await startTestProxy(backend.port);
  const socket = net.connect(proxy.data.port, '127.0.0.1');
  later(() => void socket.destroy());
  let text = '';
  socket.on('data', (bytes) => (text += bytes.toString()));
  socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await until(() => text.endsWith('ok\r\n0\r\n\r\n') || text.endsWith('ok'));
  const ended = proxy.shutDown();
  await until(() => proxy.report().state === 'drained');
  text = '';
  socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await until(() => text.endsWith('ok'));
  expect(text.toLowerCase()).toContain('connection: close');
  await ended;
  expect(proxy.report().requests).toEqual({ total: 2, responded: 2, errors: 0 });
});

test('without the time to wait, it does not', async () => {
  const backend = await startBackend((_, response) => response.end('ok'));
  const proxy = await startTestProxy(backend.port, { gracePeriodSeconds: 0, gracefulShutdownTimeoutSeconds: 0 });
  const socket = net.connect(proxy.data.port, '127.0.0.1');
  const closed = new Promise((resolve) => socket.once('close', resolve));
  await new Promise((resolve) => socket.once('connect', resolve));
  await Promise.all([proxy.shutDown(), closed]);
});
