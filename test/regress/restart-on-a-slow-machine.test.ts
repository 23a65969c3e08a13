import { stopAll, until } from '../proxy/support/world';
import { Counter, bundleGeneration, startEcho } from '../proxy/handover/support/generations';

// A restart lost every WebSocket of a busy machine: the new generation had not responded for two seconds, and the old one closed what it
// had called back; or the connections had been accepted before the fast path was tried, and could not leave.
const bundle = bundleGeneration();
afterEach(stopAll);
afterAll(() => bundle.remove());

async function begin(isUntried: boolean) {
  const { port } = await startEcho();
  const [old, next] = await Promise.all([bundle.start(port, undefined, { isUntried }), bundle.start(port)]);
  const counters = await Promise.all(Array.from({ length: 10 }, () => Counter.open(old.port)));
  for (const counter of counters) counter.sayEvery(15, 20);
  const more = async () => {
    const mark = counters.map(({ received }) => received);
    await until(() => counters.every(({ received }, index) => received > mark[index]! + 3));
  };
  await more();
  return { old, next, counters, more, address: await next.receive() };
}

async function expectWhole(counters: readonly Counter[]): Promise<void> {
  for (const counter of counters) counter.stop();
  await until(() => counters.every(({ sent, received, isClosed }) => isClosed || sent === received));
  expect(counters.filter(({ isWhole }) => !isWhole)).toEqual([]);
}

test('while the new generation stands still the old one goes on with all its connections, and says so', async () => {
  const { old, next, counters, more, address } = await begin(false);
  await next.call({ do: 'killAt', is: 'offer', when: 'before', nth: 1, signal: 'SIGSTOP' });
  let isSwept = false;
  const handing = old.handOver(address).finally(() => (isSwept = true));
  await until(async () => (await old.report()).active.websocket === 10 && (await old.report()).lines.length > 0);
  // Those that it had offered are read again here.
  await more();
  const { lines } = await old.report();
  expect({ isSwept, lines: lines.map(({ message }) => message) }).toEqual({
    isSwept: false,
    lines: ['A process of the new generation does not respond: connections go on here until one does'],
  });
  next.child.kill('SIGCONT');
  expect((await handing)?.handedOver.upgraded).toBe(10);
  await more();
  await expectWhole(counters);
});

test('connections that were accepted before the fast path was tried go over', async () => {
  const { old, counters, more, address } = await begin(true);
  const figures = await old.handOver(address);
  expect(figures?.stays ?? {}).not.toHaveProperty('unknown');
  await until(async () => (await old.report()).active.websocket === 0);
  await old.kill();
  await more();
  await expectWhole(counters);
});
