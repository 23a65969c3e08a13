import { ReplayLimits, describeDiffering, findReplayGaps } from '../../../core/replay/replay-gate';
import type { ReplayStatus } from '../../../core/replay/replay-status';
import { replayStatus } from '../../support/replay-status';

const NOW = Date.parse('2026-01-01T00:00:00Z');
const WRITE = { id: 'n@target.3.0', method: 'PUT', path: '/carts/7', recordedAt: '2025-12-31T23:50:00.000Z' };
const LIMITS: ReplayLimits = { maxLagSeconds: 30, servedBy: 'target' };

const find = (given: Partial<ReplayStatus> = {}, limits: Partial<ReplayLimits> = {}) =>
  findReplayGaps('back', replayStatus(NOW, { servedBy: 'target', ...given }), { ...LIMITS, ...limits }, NOW);

test('one that follows, has lost nothing and is near enough lacks nothing', () => {
  expect(find()).toEqual([]);
});

test('one that is not there, silent, or of another side is no replay', () => {
  expect(findReplayGaps('back', undefined, LIMITS, NOW)).toMatchObject([{ isLasting: false }]);
  const silent = new Date(NOW - 31_000).toISOString();
  expect(find({ writtenAt: silent })[0]?.message).toContain('within 30 s, got 31 s');
  expect(find({ ended: 'it was stopped' })[0]?.message).toContain('got one that has ended: it was stopped');
  expect(find({ servedBy: 'source' })).toMatchObject([{ isLasting: true }]);
  expect(find({ servedBy: undefined })[0]?.message).toContain('got those of both sides');
});

test('what is parked, or was sent and never forwarded, lasts; the request is named', () => {
  const firstParked = { ...WRITE, problem: 'status 400' };
  expect(find({ parked: 2, firstParked })).toEqual([
    {
      isLasting: true,
      message:
        "the replay 'back' must have parked no request, got 2, the first PUT /carts/7 of 2025-12-31T23:50:00.000Z (n@target.3.0): status 400",
    },
  ]);
  expect(find({ withdrawnLate: 1 })).toMatchObject([{ isLasting: true }]);
  expect(find({ reordered: 1 })).toMatchObject([{ isLasting: true }]);
});

test('one that is too far behind is waited for; the first request that is missing is named, and why', () => {
  const outage = { sinceMs: NOW - 60_000, problem: 'connect ECONNREFUSED' };
  const [gap] = find({ lagMs: 31_000, oldest: WRITE, outage });
  expect(gap).toMatchObject({ isLasting: false });
  expect(gap?.message).toBe(
    "the replay 'back' must be at most 30 s behind, got 31 s, PUT /carts/7 of 2025-12-31T23:50:00.000Z (n@target.3.0) is the first that is missing; the target gives no response: connect ECONNREFUSED",
  );
});

test('it must have been near enough for as long as is asked for, by whole minutes', () => {
  const within = { forSeconds: 120 };
  expect(find({ lags: [900, 900, 900] }, within)).toEqual([]);
  expect(find({ lags: [900, 900] }, within)[0]?.message).toContain('within 120 s');
  expect(find({ lags: [900, 31_000, 900] }, within)[0]?.message).toContain('got 31 s');
  expect(find({ lags: [900, 900, 900, 31_000] }, within)).toEqual([]);
});

test('a comparison that is asked for must say promote; one that says roll back lasts', () => {
  const wanted = { needsVerdict: true };
  expect(find({ verdict: 'promote' }, wanted)).toEqual([]);
  expect(find({ verdict: 'inconclusive' }, wanted)).toMatchObject([{ isLasting: false }]);
  expect(find({ verdict: 'roll back' }, wanted)).toMatchObject([{ isLasting: true }]);
  expect(find({}, wanted)[0]?.message).toContain('no comparison (--compare)');
});

test('a write that was left out, a damaged record and a start behind the first request last; the write is named', () => {
  const named = { skippedWrites: 3, firstSkippedWrite: WRITE };
  expect(find(named)).toEqual([]);
  expect(find(named, { needsWrites: true })).toEqual([
    {
      isLasting: true,
      message:
        "the replay 'back' must have left out no write (--methods, transforms), got 3, the first PUT /carts/7 of 2025-12-31T23:50:00.000Z (n@target.3.0)",
    },
  ]);
  expect(find({ damaged: 1 })).toMatchObject([{ isLasting: true }]);
  expect(find({ missing: 3 }, { needsWrites: true })).toEqual([]);
  expect(find({ missing: 3 }, { needsWrites: true, lost: 3 })).toEqual([]);
  expect(find({ missing: 3 }, { needsWrites: true, lost: 2 })).toMatchObject([
    { isLasting: true, message: expect.stringContaining('but the 2 that the proxies have lost, got 3') as string },
  ]);
  const fromTime = '2025-12-31T23:00:00.000Z';
  expect(find({ fromTime })).toEqual([]);
  expect(find({ fromTime }, { fromTheFirst: true })).toMatchObject([
    { isLasting: true, message: expect.stringContaining(`got one that starts at ${fromTime}`) as string },
  ]);
});

test('it must read the store that the proxies write to', () => {
  const of = (from: string, store: string) => find({ from }, { store });
  expect(of('s3://bucket/b', 's3://bucket/b')).toEqual([]);
  expect(of('s3://bucket/b', 's3://bucket/c')).toMatchObject([
    { isLasting: true, message: expect.stringContaining("'s3://bucket/c', got 's3://bucket/b'") as string },
  ]);
});

test('a write with another outcome is named beside the count', () => {
  expect(describeDiffering(replayStatus(NOW))).toBeUndefined();
  const differing = { differingWrites: 2, firstDifferingWrite: { ...WRITE, recorded: 201, got: 403 } };
  expect(describeDiffering(replayStatus(NOW, differing))).toBe(
    '2 writes of the replay had another outcome, the first PUT /carts/7 of 2025-12-31T23:50:00.000Z (n@target.3.0): recorded 201, got 403',
  );
});
