import type { CertificatePair } from '../../../proxy/data-plane/tls13/tls13-check';
import { selfSigned, stopAll, until } from '../support/world';
import { Counter, Generation, GenerationReport, Listener, bundleGeneration, startEcho } from './support/generations';
import type { ToGeneration } from './support/generation';

/**
 * Of connections with TLS and without it, as it comes: kill -9 of either side at each message of the hand-over. `DRAINSHIFT_TEST_RUNS` repeats all of it, with numbers from
 * `DRAINSHIFT_TEST_SEED`.
 */
const RUNS = Number(process.env.DRAINSHIFT_TEST_RUNS ?? 1);
const WEBSOCKETS = 5;
const STREAMS = 3;
const CONNECTIONS = WEBSOCKETS + STREAMS;
const bundle = bundleGeneration();
let certificate: CertificatePair;
beforeAll(async () => void (certificate = await selfSigned()));
afterEach(stopAll);
afterAll(() => bundle.remove());

type Kill = Omit<Extract<ToGeneration, { do: 'killAt' }>, 'do' | 'nth'>;
let state = Number(process.env.DRAINSHIFT_TEST_SEED ?? 20_261_130);

function random(max: number): number {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return 1 + Math.floor((state / 2 ** 32) * max);
}

interface Scene {
  readonly old: Generation;
  readonly next: Generation;
  readonly counters: readonly Counter[];
  readonly listeners: readonly Listener[];
}

const countActive = ({ active }: GenerationReport) => active.websocket + active.serverSentEvents;

async function handOverWithKill(
  victim: 'old' | 'next',
  kill: Kill,
  { nth, isTls }: { readonly nth: number; readonly isTls: boolean },
): Promise<Scene> {
  const { port } = await startEcho();
  const tls = isTls ? certificate : undefined;
  const [old, next] = await Promise.all([bundle.start(port, tls), bundle.start(port, tls)]);
  const counters = await Promise.all(Array.from({ length: WEBSOCKETS }, () => Counter.open(old.port, { isTls })));
  const listeners = await Promise.all(Array.from({ length: STREAMS }, () => Listener.open(old.port, isTls)));
  for (const counter of counters) counter.sayEvery(15, 20);
  await until(() => [...counters, ...listeners].every(({ received }) => received > 2));
  const address = await next.receive();
  const killed = victim === 'old' ? old : next;
  await killed.call({ do: 'killAt', ...kill, nth });
  void old.handOver(address).catch(() => undefined);
  await killed.exit;
  return { old, next, counters, listeners };
}

/** The open ones go on, and each number came once and in its turn. @returns how many are open */
async function countWhole({ counters, listeners }: Scene, expected: number): Promise<number> {
  const all = [...counters, ...listeners];
  await until(() => all.filter(({ isClosed }) => isClosed).length >= all.length - expected);
  const open = all.filter(({ isClosed }) => !isClosed);
  const mark = open.map(({ received }) => received);
  await until(() => open.every(({ received }, index) => received > mark[index]! + 3));
  for (const counter of counters) counter.stop();
  await until(() => counters.every(({ sent, received, isClosed }) => isClosed || sent === received));
  expect(all.reduce((sum, { wrong }) => sum + wrong, 0)).toBe(0);
  return open.filter(({ isClosed }) => !isClosed).length;
}

const OF_RECEIVER: readonly Kill[] = [
  { is: 'hello', when: 'before' },
  { is: 'admitted', when: 'behind' },
  { is: 'offer', when: 'before' },
  { is: 'offer', when: 'behind' },
  { is: 'taken', when: 'before' },
  { is: 'taken', when: 'behind' },
  { is: 'yours', when: 'before' },
  { is: 'yours', when: 'behind' },
];

const OF_SENDER: readonly Kill[] = [
  { is: 'hello', when: 'behind' },
  { is: 'offer', when: 'before' },
  { is: 'offer', when: 'behind' },
  { is: 'taken', when: 'before' },
  { is: 'yours', when: 'before' },
  { is: 'yours', when: 'behind' },
];

/** Connections that it can own by then. */
function maxGone({ is, when }: Kill, nth: number): number {
  if (is === 'offer') return nth - 1;
  return is === 'yours' || (is === 'taken' && when === 'behind') ? CONNECTIONS : 0;
}

/** All are over before any of them fails the test. */
async function each<T>(cases: readonly T[], run: (one: T, isTls: boolean) => Promise<void>): Promise<void> {
  const isTls = () => random(2) === 1;
  const results = await Promise.allSettled(cases.map((one) => run(one, isTls())));
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}

const isOfOffer = ({ is }: Kill) => is === 'offer';

for (let run = 1; run <= RUNS; run += 1) {
  test(`a receiver that is killed costs what it owned, and nothing before it has taken anything (${run})`, async () => {
    await each(OF_RECEIVER, async (kill, isTls) => {
      const nth = isOfOffer(kill) ? random(CONNECTIONS) : 1;
      const scene = await handOverWithKill('next', kill, { nth, isTls });
      const { old } = scene;
      await until(async () => (await old.report()).lines.length > 0);
      const report = await old.report();
      const { figures, lines } = report;
      const gone = (figures?.handedOver.upgraded ?? 0) + (figures?.handedOver.streams ?? 0);
      expect({ kill, lines, isLess: gone <= maxGone(kill, nth) }).toMatchObject({ kill, isLess: true });
      expect(countActive(report)).toBe(CONNECTIONS - gone);
      expect(await countWhole(scene, CONNECTIONS - gone)).toBe(CONNECTIONS - gone);
    });
  });

  test(`a sender that is killed costs what it had not sent, and nothing that it had (${run})`, async () => {
    await each(OF_SENDER, async (kill, isTls) => {
      const nth = isOfOffer(kill) ? random(CONNECTIONS) : 1;
      const scene = await handOverWithKill('old', kill, { nth, isTls });
      const { next } = scene;
      const { offersLeft } = scene.old;
      await until(async () => (await next.report()).ends === 1);
      const report = await next.report();
      expect({ kill, nth, lines: report.lines }).toEqual({ kill, nth, lines: [] });
      const open = countActive(report);
      expect(open).toBeGreaterThanOrEqual(offersLeft);
      expect(await countWhole(scene, open)).toBe(open);
    });
  });
}
