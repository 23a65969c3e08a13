import { parseKeyRule } from '../../core/replay/key';
import type { TrafficStream } from '../../core/capture/traffic-stream';
import { MadeExchange, ok, partsOf, put } from '../support/recorded';
import { Arrival, respondAfter, startBackend } from './recording-backend';
import { runReplay } from './run';

/** Clients that each write to some keys, over a connection of their own; what is recorded overlaps as its times say. */
function makeCorpus(seed: number, count: number): MadeExchange[] {
  let state = seed;
  const random = () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
  const clients = Array.from({ length: 20 }, (_, n) => ({ connection: `client-${n}`, n: 0, freeMs: random() * 20 }));
  return Array.from({ length: count }, (_, n) => {
    const client = clients[Math.floor(random() * clients.length)]!;
    const startMs = client.freeMs + random() * 5;
    const endMs = startMs + 0.5 + random() * 10;
    client.freeMs = endMs + 0.1;
    client.n += 1;
    const request = put(`/carts/${Math.floor(random() * 5)}/items`, `{"n":${n}}`);
    return { connection: client.connection, n: client.n - 1, startMs, endMs, request, response: ok('source') };
  });
}

const idOf = ({ connection, n }: MadeExchange) => `${connection}.${n}`;
const keyOf = ({ request }: MadeExchange) => /\/carts\/\d+/.exec(request)![0];

/** Pairs of one key that did not overlap where they were recorded, and that the target saw otherwise. */
function countViolations(
  corpus: readonly MadeExchange[],
  arrivals: readonly Arrival[],
  isOne: (a: MadeExchange, b: MadeExchange) => boolean,
): number {
  const seen = new Map(arrivals.map((arrival) => [arrival.id, arrival]));
  let violations = 0;
  for (const first of corpus) {
    for (const second of corpus) {
      if (first === second || !isOne(first, second) || first.endMs > second.startMs) continue;
      if (seen.get(idOf(first))!.endMs > seen.get(idOf(second))!.startMs) violations += 1;
    }
  }
  return violations;
}

async function replayBy(key: string, corpus: readonly MadeExchange[], parts: readonly TrafficStream[]) {
  let state = 7;
  // The target is slower with some than the source was, as another database is.
  const backend = await startBackend((_, response) => {
    state = (state * 16_807) % 2_147_483_647;
    return respondAfter(response, state % 7);
  });
  try {
    const { replay, failure } = await runReplay(parts, backend.url, { plan: { key: parseKeyRule(key)! } });
    expect(failure).toBeUndefined();
    expect(replay.counts).toMatchObject({ sent: corpus.length, parked: 0, failed: 0 });
    const arrivals = backend.arrivals;
    const overlaps = arrivals.some((arrival) =>
      arrivals.some((each) => each !== arrival && each.startMs < arrival.endMs && arrival.startMs < each.endMs),
    );
    return {
      ofKey: countViolations(corpus, arrivals, (a, b) => keyOf(a) === keyOf(b)),
      ofConnection: countViolations(corpus, arrivals, (a, b) => a.connection === b.connection),
      ofAll: countViolations(corpus, arrivals, () => true),
      overlaps,
    };
  } finally {
    await backend.close();
  }
}

test('order of a connection alone reorders writes of a key; order of the key does not, and keeps what overlapped', async () => {
  const corpus = makeCorpus(42, 600);
  const parts = partsOf(corpus);
  const byConnection = await replayBy('connection', corpus, parts);
  expect(byConnection.ofConnection).toBe(0);
  expect(byConnection.ofKey).toBeGreaterThan(0);
  const byPath = await replayBy('/carts/{key}', corpus, parts);
  expect(byPath).toMatchObject({ ofKey: 0, ofConnection: 0, overlaps: true });
  const byAll = await replayBy('all', corpus, parts);
  expect(byAll).toMatchObject({ ofAll: 0, overlaps: true });
});

test('records that come late and twice, within the window, change no order', async () => {
  const corpus = makeCorpus(43, 300);
  const parts = partsOf(corpus);
  const mixed = parts.flatMap((each, n) => (n % 7 === 0 ? [each, each] : [each]));
  for (let at = 0; at + 9 < mixed.length; at += 10) mixed.splice(at, 10, ...mixed.slice(at, at + 10).reverse());
  expect(await replayBy('/carts/{key}', corpus, mixed)).toMatchObject({ ofKey: 0, ofConnection: 0 });
});
