import { describeHolder, isExpired } from '../../../core/traffic/lock';

const cutover = { execution: 'move-1', startedAt: '2026-01-01T00:00:00.000Z' };
const person = { ...cutover, execution: 'manual-1', expiresAt: '2026-01-01T00:05:00.000Z' };

test('the lock of a cutover never ends by itself', () => {
  expect(isExpired(cutover, Date.parse('2099-01-01'))).toBe(false);
  expect(describeHolder(cutover)).toBe("held by 'move-1' since 2026-01-01T00:00:00.000Z");
});

test('the lock of a person or a deployment ends at its time, and says so', () => {
  const endMs = Date.parse(person.expiresAt);
  expect([isExpired(person, endMs - 1), isExpired(person, endMs)]).toEqual([false, true]);
  expect(describeHolder(person)).toMatch(
    /^held by 'manual-1' since .*, which ends by itself at 2026-01-01T00:05:00.000Z$/,
  );
});

test('without an end, and without a time that can be read, none has passed', () => {
  expect(isExpired(cutover, Number.POSITIVE_INFINITY)).toBe(false);
});
