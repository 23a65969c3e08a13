import { Backend, respondAfter, startBackend } from './recording-backend';
import { get, ok, partsOf } from '../support/recorded';
import { runReplay } from './run';

let backend: Backend;
beforeEach(async () => (backend = await startBackend((_, response) => respondAfter(response, 0))));
afterEach(() => backend.close());

/** Ten requests of clients of their own, 100 ms apart. */
const parts = partsOf(
  Array.from({ length: 10 }, (_, n) => {
    return {
      connection: `c${n}`,
      n: 0,
      startMs: n * 100,
      endMs: n * 100 + 1,
      request: get(`/${n}`),
      response: ok('x'),
    };
  }),
);
/** Since before the replay started: the first one may be late on a slow machine, and the last one never early. */
const lasted = (sinceMs: number) => backend.arrivals.at(-1)!.startMs - sinceMs;

test('requests are sent no earlier than the speed asks for', async () => {
  const sinceMs = performance.now();
  // Of one key: over connections of their own they may arrive in any order on a slow machine.
  await runReplay(parts, backend.url, { plan: { speed: 3, key: { kind: 'all' } } });
  expect(backend.arrivals.map(({ url }) => url)).toEqual(parts.slice(0, 10).map((_, n) => `/${n}`));
  // A timer may end a millisecond early.
  expect(lasted(sinceMs)).toBeGreaterThan(290);
});

test('no more are sent in a second than the rate allows', async () => {
  const sinceMs = performance.now();
  await runReplay(parts, backend.url, { plan: { rate: 20 } });
  // What was not used of a tenth of a second may follow at once.
  expect(lasted(sinceMs)).toBeGreaterThan(300);
});

test('what is before and after the times that are asked for is left out, and so are other methods', async () => {
  const T0 = 1_790_000_000_000;
  const { replay } = await runReplay(parts, backend.url, { plan: { fromMs: T0 + 250, toMs: T0 + 600 } });
  expect(replay.counts.sent).toBe(4);
  const other = await runReplay(parts, backend.url, { plan: { methods: new Set(['POST']) } });
  expect(other.replay.counts).toMatchObject({ sent: 0, skipped: 10 });
});
