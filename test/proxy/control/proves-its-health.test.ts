import net, { type AddressInfo } from 'node:net';
import { proveHealth } from '../../../proxy/control/self-test';
import { SYSTEM_CLOCK } from '../../../proxy/process/clock';
import { later, stopAll } from '../support/world';

afterEach(stopAll);

/** Responds to one connection after the other with the next of these, and to further ones with the last. */
async function startProxy(...statuses: readonly number[]): Promise<{ port: number; heard: string[] }> {
  const heard: string[] = [];
  const server = net.createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', (bytes: Buffer) => {
      const status = statuses[Math.min(heard.push(bytes.toString()), statuses.length) - 1];
      socket.end(`HTTP/1.1 ${status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  later(() => void server.close());
  return { port: (server.address() as AddressInfo).port, heard };
}

const ONE_LOOK_MS = 0;

function prove(port: number, { withinMs = 60_000, hasStore = true, hasHeader = false } = {}): Promise<void> {
  const untilMs = SYSTEM_CLOCK.nowMs() + withinMs;
  return proveHealth({ port, isTls: false, hasHeader }, () => hasStore, untilMs, SYSTEM_CLOCK);
}

test('a proxy has proved its health when its check responds with 200, at the first poll or a later one', async () => {
  const good = await startProxy(200);
  await prove(good.port);
  expect(good.heard).toHaveLength(1);
  expect(good.heard[0]).toMatch(/^GET \/\.drainshift\/health HTTP\/1\.1\r\n/);
  const late = await startProxy(503, 500, 200);
  await prove(late.port);
  expect(late.heard).toHaveLength(3);
});

test('what keeps it from that is said', async () => {
  const { port } = await startProxy(503);
  const rule = 'its own health check must respond with 200, got';
  await expect(prove(port, { withinMs: ONE_LOOK_MS })).rejects.toThrow(`${rule} 503`);
  const none = await startProxy(200);
  await stopAll();
  await expect(prove(none.port, { withinMs: ONE_LOOK_MS })).rejects.toThrow(`${rule} connect ECONNREFUSED`);
});

test('without a session store that responds its check is not asked', async () => {
  const { port, heard } = await startProxy(200);
  const proving = prove(port, { withinMs: ONE_LOOK_MS, hasStore: false });
  await expect(proving).rejects.toThrow('the session store must respond, got no response');
  expect(heard).toEqual([]);
});

test('where each connection has a PROXY header, so has this one', async () => {
  const { port, heard } = await startProxy(200);
  await prove(port, { hasHeader: true });
  expect(heard[0]).toMatch(/^PROXY UNKNOWN\r\n/);
});
