import { computePause } from '../../../rehearsal/writes/pause';

const respond = (dueAtMs: number, ms: number) => ({ dueAtMs, ms });

test('a pause is what requests took beyond the usual, of those that were under way in a window', () => {
  const usual = Array.from({ length: 99 }, (_, at) => respond(at * 10, 2));
  const held = [respond(1_990, 62), respond(2_000, 52), respond(2_040, 12)];
  const pause = computePause([...usual, ...held], [{ fromMs: 2_000, toMs: 2_050 }]);
  expect(pause).toEqual({ requests: 3, p50Ms: 50, p99Ms: 60, maxMs: 60 });
});

test('of several windows all count; without any there is none', () => {
  const seen = [respond(0, 1), respond(100, 11), respond(200, 1), respond(300, 21), respond(400, 1)];
  const windows = [100, 300].map((fromMs) => ({ fromMs, toMs: fromMs + 5 }));
  expect(computePause(seen, windows)).toEqual({ requests: 2, p50Ms: 10, p99Ms: 20, maxMs: 20 });
  expect(computePause(seen, [])).toEqual({ requests: 0, p50Ms: 0, p99Ms: 0, maxMs: 0 });
});

test('those that came behind the ones that waited count, too', () => {
  const seen = [respond(0, 2), respond(100, 50), respond(140, 12), respond(149, 8), respond(158, 2), respond(300, 2)];
  const pause = computePause(seen, [{ fromMs: 90, toMs: 120 }]);
  expect(pause).toEqual({ requests: 3, p50Ms: 10, p99Ms: 48, maxMs: 48 });
});
