import { Counter, Listener, bundleGeneration, startEcho } from './support/generations';
import { stopAll, until } from '../support/world';

const bundle = bundleGeneration();
afterEach(stopAll);
afterAll(() => bundle.remove());

test('WebSockets and event streams go on in the next generation: none is closed, and nothing is lost or doubled', async () => {
  const { port } = await startEcho();
  const [old, next] = await Promise.all([bundle.start(port), bundle.start(port)]);
  const counters = await Promise.all(Array.from({ length: 60 }, () => Counter.open(old.port)));
  const listeners = await Promise.all(Array.from({ length: 30 }, () => Listener.open(old.port)));
  for (const counter of counters) counter.sayEvery(5, 40);
  const all = [...counters, ...listeners];
  await until(() => all.every(({ received }) => received > 3));
  const before = await old.report();
  const sinceMs = performance.now();
  const figures = await old.handOver(await next.receive());
  expect(figures).toMatchObject({ handedOver: { upgraded: 60, streams: 30 } });
  const mark = all.map(({ received }) => received);
  await until(() => all.every(({ received }, index) => received > mark[index]! + 3));
  const elapsedMs = performance.now() - sinceMs;
  const [left, here] = [await old.report(), await next.report()];
  expect(left.active).toMatchObject({ websocket: 0, serverSentEvents: 0 });
  expect(here.active).toMatchObject({ websocket: 60, serverSentEvents: 30 });
  expect(left.ended).toEqual(before.ended);
  // It gets no older on its way.
  const leastMs = before.oldestMs.websocket + elapsedMs - figures!.longestMs;
  expect(here.oldestMs.websocket).toBeGreaterThan(leastMs - 2);
  await old.kill();
  const last = all.map(({ received }) => received);
  await until(() => all.every(({ received }, index) => received > last[index]! + 3));
  expect(listeners.filter(({ wrong, isClosed }) => wrong > 0 || isClosed)).toEqual([]);
  for (const counter of counters) counter.stop();
  await until(() => counters.every(({ sent, received }) => received === sent));
  expect(counters.filter(({ isWhole }) => !isWhole)).toEqual([]);
  const end = await next.report();
  const bytes = left.bytes.websocket.received + end.bytes.websocket.received;
  const sent = counters.reduce((sum, counter) => sum + counter.sent, 0);
  // A masked frame has six bytes of its own here; each text is its number, a space and 40 bytes.
  const texts = counters.flatMap((counter) =>
    Array.from({ length: counter.sent }, (_, n) => String(n + 1).length + 41),
  );
  expect(bytes).toBe(texts.reduce((sum, length) => sum + length, 0) + 6 * sent);
  expect(end.lines).toEqual([]);
});

test('compressed messages go on with the dictionaries of both ends, or without', async () => {
  const perMessageDeflate = { threshold: 0 };
  const { port } = await startEcho({ perMessageDeflate });
  const [old, next] = await Promise.all([bundle.start(port), bundle.start(port)]);
  const without = { ...perMessageDeflate, clientNoContextTakeover: true, serverNoContextTakeover: true };
  const counters = await Promise.all(
    Array.from({ length: 10 }, (_, n) =>
      Counter.open(old.port, { perMessageDeflate: n % 2 === 0 ? perMessageDeflate : without }),
    ),
  );
  expect(counters.map(({ socket }) => socket.extensions)).toEqual(counters.map(() => 'permessage-deflate'));
  for (const counter of counters) counter.sayEvery(5, 200);
  await until(() => counters.every(({ received }) => received > 5));
  expect(await old.handOver(await next.receive())).toMatchObject({ handedOver: { upgraded: 10 } });
  await old.kill();
  const mark = counters.map(({ received }) => received);
  await until(() => counters.every(({ received }, index) => received > mark[index]! + 5));
  for (const counter of counters) counter.stop();
  await until(() => counters.every(({ sent, received }) => received === sent));
  expect(counters.filter(({ isWhole }) => !isWhole)).toEqual([]);
});
