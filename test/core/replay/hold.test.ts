import { HoldTimes, LOCAL_HOLD, REMOTE_HOLD, SeenHold, judgeHold } from '../../../core/replay/hold';

const judge = (seen: Partial<SeenHold>, times: HoldTimes = REMOTE_HOLD) =>
  judgeHold({ waitedMs: 0, unchangedMs: 0, hasChanged: false, isGone: false, ...seen }, times);

test('a checkpoint that its replay no longer writes is free, and not before its last requests have ended', () => {
  expect(judge({ waitedMs: 59_999, unchangedMs: 59_999 })).toBe('wait');
  expect(judge({ waitedMs: 60_000, unchangedMs: 60_000 })).toBe('free');
  expect(REMOTE_HOLD.silenceMs - REMOTE_HOLD.holdMs).toBeGreaterThanOrEqual(10_000 + 7_000 + 10_000);
});

test('one that is written is waited for, for a while', () => {
  expect(judge({ waitedMs: 89_000, unchangedMs: 2_000, hasChanged: true })).toBe('wait');
  expect(judge({ waitedMs: 90_000, unchangedMs: 2_000, hasChanged: true })).toBe('taken');
  expect(judge({ waitedMs: 95_000, unchangedMs: 44_000 })).toBe('wait');
});

test('of a process of this machine it is known whether it is gone', () => {
  expect(judge({ isGone: true }, LOCAL_HOLD)).toBe('free');
  expect(judge({}, LOCAL_HOLD)).toBe('wait');
  expect(judge({ waitedMs: 200, hasChanged: true }, LOCAL_HOLD)).toBe('taken');
});
