import net, { AddressInfo } from 'node:net';
import type { PlaneContext } from '../../proxy/data-plane/shared/context';
import { completeTimeouts } from '../../core/proxy/settings/setting-names';
import { trustingLimits } from '../../proxy/data-plane/contract/limits';
import { Exchange } from '../../proxy/data-plane/exchange/exchange';
import { Http1Client } from '../../proxy/data-plane/http1/http1-client';
import { StreamTransport } from '../../proxy/data-plane/transport/stream-transport';
import { NO_USER } from '../../proxy/data-plane/contract/transport';
import { Ledger } from '../../proxy/data-plane/contract/ledger';
import type { DownstreamStream, EngineHead } from '../../proxy/data-plane/contract/streams';
import { later, stopAll, until } from '../proxy/support/world';
import { FakeTransport } from '../proxy/data-plane/websocket/support/fake-transport';

afterEach(stopAll);

/** What a stream has taken is not on its way: closing it loses that. */
test('a wire over a stream has something pending until the kernel has all of it', async () => {
  const server = net.createServer((socket) => socket.pause());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const socket = net.connect((server.address() as AddressInfo).port, '127.0.0.1');
  later(() => {
    socket.destroy();
    server.close();
  });
  await new Promise((resolve) => socket.once('connect', resolve));
  const transport = new StreamTransport(socket);
  let drains = 0;
  transport.user = { ...NO_USER, onDrain: () => (drains += 1) };
  transport.write('x');
  expect([transport.hasPending, transport.isBackedUp]).toEqual([true, false]);
  await until(() => drains === 1);
  expect(transport.hasPending).toBe(false);
  while (!transport.isBackedUp) transport.write('x'.repeat(1_000_000));
  expect(transport.pendingBytes).toBeGreaterThan(0);
  expect(transport.hasPending).toBe(true);
});

test.each([
  ['ended', 'HTTP/1.0', ''],
  ['closed', 'HTTP/1.1', 'Connection: close\r\n'],
])('a response has not ended, nor its connection %s, while a part of it is pending', (_, version, fields) => {
  const transport = new FakeTransport();
  let ended = 0;
  transport.end = () => (ended += 1);
  transport.close = () => (ended += 1);
  const context: PlaneContext = {
    createExchange: (client: DownstreamStream, head: EngineHead): Exchange => new Exchange(context, client, head),
    options: { ledger: new Ledger(), route: () => ({ response: { status: 200, body: 'answer' } }) },
    timeouts: completeTimeouts(),
    limits: trustingLimits(),
    ticker: { nowMs: 0, add: () => undefined, remove: () => undefined },
  } as unknown as PlaneContext;
  new Http1Client(context, { left: () => undefined, isHttp2: () => undefined }, transport);
  transport.hasPending = true;
  transport.receive(Buffer.from(`GET / ${version}\r\nHost: a\r\n${fields}\r\n`));
  expect(transport.written).toContain('answer');
  expect(ended).toBe(0);
  transport.hasPending = false;
  transport.drain();
  expect(ended).toBe(1);
});
