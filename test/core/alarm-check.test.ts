import { AlarmReading, checkAlarms } from '../../core/alarm-check';

const check = (names: readonly string[], readings: readonly AlarmReading[]) =>
  checkAlarms(
    names.map((name) => ({ name, side: 'target' })),
    readings,
    'target',
  );

const reading = (name: string, state: AlarmReading['state'], reason = ''): AlarmReading => ({ name, state, reason });

test('no alarm blocks nothing', () => {
  expect(check([], [])).toBeUndefined();
  expect(check(['a'], [reading('a', 'OK')])).toBeUndefined();
});

test('no data is no ALARM: an alarm on errors has none for as long as there are none', () => {
  expect(check(['a'], [reading('a', 'INSUFFICIENT_DATA')])).toBeUndefined();
});

test('every alarm in ALARM is named, with what CloudWatch says of it', () => {
  const readings = [reading('a', 'ALARM', '5 over 1'), reading('b', 'OK'), reading('c', 'ALARM')];
  expect(check(['a', 'b', 'c'], readings)).toEqual({
    code: 'AlarmRaised',
    message: "the alarm 'a' must not be in ALARM, got 5 over 1\nthe alarm 'c' must not be in ALARM, got ALARM",
  });
});

test('a deleted alarm blocks, because it cannot say what it would have said', () => {
  expect(check(['a', 'b'], [reading('a', 'OK')])).toEqual({
    code: 'AlarmMissing',
    message: "the alarm 'b' must exist, got none",
  });
});

test('an alarm that is not heeded blocks nothing', () => {
  expect(check(['a'], [reading('a', 'OK'), reading('other', 'ALARM')])).toBeUndefined();
});

test('an alarm about the source says nothing about the target, and the other way round', () => {
  const heeded = [{ name: 'no-source', side: 'source' } as const];
  const readings = [reading('no-source', 'ALARM')];
  expect(checkAlarms(heeded, readings, 'target')).toBeUndefined();
  expect(checkAlarms(heeded, readings, 'source')?.code).toBe('AlarmRaised');
});
