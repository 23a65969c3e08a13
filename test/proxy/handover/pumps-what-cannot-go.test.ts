import { generate } from 'selfsigned';
import { Counter, Generation, Listener, bundleGeneration, startEcho } from './support/generations';
import { stopAll, until } from '../support/world';

const bundle = bundleGeneration();
afterAll(() => bundle.remove());
afterEach(stopAll);

let certificate: { cert: string; key: string };
beforeAll(async () => {
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'localhost' }], { keyType: 'ec' });
  certificate = { cert, key };
});

/** Padded records would be another way to stay; these clients say TLS 1.2. */
const OLD = { isTls: true, maxVersion: 'TLSv1.2' } as const;

async function goOn(counters: readonly Counter[], count = 3): Promise<void> {
  const marks = counters.map(({ received }) => received);
  await until(
    () => counters.every(({ received }, index) => received >= marks[index]! + count),
    () => (counters.some(({ isClosed, wrong }) => isClosed || wrong > 0) ? 'a client has noticed' : undefined),
  );
}

/** Counts those that are open at one process. */
const pumped = async (generation: Generation) => (await generation.report()).pumped;

test('WebSockets and event streams with TLS 1.2 are served by the next generation, and by those behind it', async () => {
  const { port } = await startEcho();
  const generations = await Promise.all([1, 2, 3, 4].map(() => bundle.start(port, certificate)));
  const [first, ...others] = generations;
  const counters = await Promise.all(Array.from({ length: 40 }, () => Counter.open(first!.port, OLD)));
  const listener = await Listener.open(first!.port, true, 'TLSv1.2');
  for (const counter of counters) counter.sayEvery(4, 500);
  await goOn(counters);
  let before = first!;
  for (const next of others) {
    const figures = await before.handOver(await next.receive());
    expect(figures?.stays).toEqual({});
    const mark = listener.received;
    await until(async () => (await next.report()).active.websocket === counters.length);
    await until(async () => (await next.report()).active.serverSentEvents === 1);
    await goOn(counters);
    await until(
      () => listener.received > mark + 3,
      () => (listener.isClosed ? 'the stream has ended' : undefined),
    );
    expect(await pumped(first!)).toBe(counters.length + 1);
    expect((await before.report()).active.websocket).toBe(0);
    before = next;
  }
  const last = generations[3]!;
  for (const generation of [generations[1]!, generations[2]!]) await generation.kill();
  await goOn(counters);
  for (const counter of counters) counter.stop();
  await until(() => counters.every(({ sent, received }) => received === sent));
  expect(counters.filter(({ isWhole }) => !isWhole)).toEqual([]);
  expect(listener.wrong).toBe(0);
  await last.call({ do: 'closeAll' });
  await until(() => counters.every(({ isClosed }) => isClosed));
  expect(counters.map(({ code }) => code)).toEqual(counters.map(() => 1012));
  listener.response.destroy();
  await until(async () => (await pumped(first!)) === 0);
  expect((await last.report()).ended.websocket).toMatchObject({ closed: counters.length, forced: 0 });
  const lines = [...(await first!.report()).lines, ...(await last.report()).lines];
  // It is: this test has killed it.
  expect(lines.filter(({ message }) => !message.startsWith('The new generation takes no more'))).toEqual([]);
});
