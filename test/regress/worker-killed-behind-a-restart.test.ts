import net from 'node:net';
import { ProxyBundle, bundleProxy, findChildren, kill, logged } from '../proxy/support/proxy-process';
import { endOf, findPid, restart, startRestartable } from '../proxy/support/restart-world';
import { later, stopAll, until } from '../proxy/support/world';

// A worker of the new generation was killed: the one in its place took no connections over. All that still had a request under way in the
// old generation were closed behind it.
let bundle: ProxyBundle;
beforeAll(() => void (bundle = bundleProxy()));
afterAll(() => bundle.remove());
afterEach(stopAll);

test('a worker in the place of a killed one takes connections of the generation before over, too', async () => {
  let respond: () => void = () => undefined;
  const { proxy, port, admin } = await startRestartable(bundle, { grace_period_seconds: 60 }, (request, response) => {
    if (request.url === '/slow') respond = () => response.end('slow');
    else response.end('fast');
  });
  const client = net.connect(port, '127.0.0.1');
  later(() => void client.destroy());
  let received = '';
  let isClosed = false;
  client.on('data', (bytes: Buffer) => (received += bytes.toString()));
  client.on('close', () => (isClosed = true));
  client.write('GET /slow HTTP/1.1\r\nhost: x\r\n\r\n');
  const first = respond;
  await until(() => respond !== first);
  expect((await restart({ admin })).status).toBe(202);
  const handed = () => proxy.lines.filter(({ msg }) => msg.startsWith('Connections were handed over')).length;
  await until(() => handed() === 1);
  const [worker] = findChildren({ pid: findPid(proxy, 2) });
  kill(worker);
  await logged(proxy, /^A worker listens in the place of the one that ended$/);
  await until(() => handed() === 2);
  respond();
  await endOf(proxy, 1);
  client.write('GET /fast HTTP/1.1\r\nhost: x\r\n\r\n');
  await until(() => isClosed || received.endsWith('fast'));
  expect({ isClosed, close: received.match(/connection: close/i) }).toEqual({ isClosed: false, close: null });
});
