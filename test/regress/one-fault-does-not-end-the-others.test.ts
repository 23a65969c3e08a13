import net from 'node:net';
import type { Forward } from '../../proxy/data-plane/contract/data-plane';
import { get, later, liveIn, startBackend, startEngine, stopAll, until } from '../proxy/support/world';

afterEach(stopAll);

const fault = (): never => {
  throw new Error('fault');
};

async function cloud(forward: (port: number) => Partial<Forward>) {
  const backend = await startBackend((request, response) => {
    if (request.url === '/events') response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.end('data: ok\n\n');
  });
  const faults: unknown[] = [];
  const engine = await startEngine(backend.port, {
    faulted: (error) => faults.push(error),
    decide: (head) => {
      if (head.url === '/route') fault();
      const upstream = { protocol: 'http' as const, host: '127.0.0.1', port: head.url === '/dead' ? 1 : backend.port };
      return { forward: { upstream, ...forward(backend.port) } };
    },
    failureResponse: fault,
  });
  return { engine, faults };
}

test('a route that throws costs its client a 500, and is reported', async () => {
  const { engine, faults } = await cloud(() => ({}));
  expect(await get({ port: engine.port, path: '/route' })).toMatchObject({ status: 500 });
  expect(faults).toEqual([new Error('fault')]);
  expect(await get({ port: engine.port })).toMatchObject({ status: 200 });
});

test('so does a failure response that throws', async () => {
  const { engine, faults } = await cloud(() => ({}));
  expect(await get({ port: engine.port, path: '/dead' })).toMatchObject({ status: 500 });
  await until(() => liveIn(engine.ledger) === 0);
  expect(faults).toHaveLength(1);
});

test('the one who throws when an exchange has ended does not hold it up', async () => {
  const { engine, faults } = await cloud(() => ({ settled: fault }));
  expect(await get({ port: engine.port })).toMatchObject({ status: 200 });
  await until(() => faults.length === 1);
  expect(liveIn(engine.ledger)).toBe(0);
});

test('the one who throws when a stream begins cuts this stream alone', async () => {
  const { engine, faults } = await cloud(() => ({ opened: fault }));
  await expect(get({ port: engine.port, path: '/events' })).rejects.toThrow();
  await until(() => liveIn(engine.ledger) === 0);
  expect(faults).toHaveLength(1);
  expect(await get({ port: engine.port })).toMatchObject({ status: 200 });
});

test('a rejected handshake whose route throws gets a response, too', async () => {
  const { engine, faults } = await cloud(() => ({}));
  const socket = net.connect(engine.port, '127.0.0.1', () =>
    socket.write(
      'GET /route HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
        'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    ),
  );
  later(() => void socket.destroy());
  const response = await new Promise<string>((resolve) => socket.once('data', (bytes) => resolve(bytes.toString())));
  expect(response).toMatch(/^HTTP\/1\.1 500 /);
  expect(faults).toHaveLength(1);
});
