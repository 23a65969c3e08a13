import net, { AddressInfo } from 'node:net';
import type { PlaneContext } from '../../proxy/data-plane/shared/context';
import { DEFAULT_LIMITS, DEFAULT_TIMEOUTS } from '../../proxy/data-plane/engine/engine';
import { Http1Client } from '../../proxy/data-plane/http1/http1-client';
import { StreamWire } from '../../proxy/data-plane/transport/stream-transport';
import { NOBODY } from '../../proxy/data-plane/contract/transport';
import { Ledger } from '../../proxy/data-plane/contract/ledger';
import { later, stopAll, until } from '../proxy/support/world';
import { FakeWire } from '../proxy/data-plane/websocket/support/fake-wire';

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
  const wire = new StreamWire(socket);
  let drains = 0;
  wire.user = { ...NOBODY, drained: () => (drains += 1) };
  wire.write('x');
  expect([wire.hasPending, wire.isBackedUp]).toEqual([true, false]);
  await until(() => drains === 1);
  expect(wire.hasPending).toBe(false);
  while (!wire.isBackedUp) wire.write('x'.repeat(1_000_000));
  expect(wire.pendingBytes).toBeGreaterThan(0);
  expect(wire.hasPending).toBe(true);
});

test('an answer is not over, nor its connection ended, while a part of it is pending', () => {
  const wire = new FakeWire();
  let ended = 0;
  wire.end = () => (ended += 1);
  const context = {
    options: { ledger: new Ledger(), route: () => ({ answer: { status: 200, body: 'answer' } }) },
    timeouts: DEFAULT_TIMEOUTS,
    limits: DEFAULT_LIMITS,
    ticker: { nowMs: 0, add: () => undefined, remove: () => undefined },
  } as unknown as PlaneContext;
  new Http1Client(context, { left: () => undefined, isHttp2: () => undefined }, wire);
  wire.hasPending = true;
  wire.receive(Buffer.from('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'));
  expect(wire.written).toContain('answer');
  expect(ended).toBe(0);
  wire.hasPending = false;
  wire.drain();
  expect(ended).toBe(1);
});
