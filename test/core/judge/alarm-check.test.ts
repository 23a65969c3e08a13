import { AlarmReading, checkAlarms } from '../../../core/judge/alarm-check';

const NONE = { metric: [], other: [] };

const check = (names: readonly string[], readings: readonly AlarmReading[]) =>
  checkAlarms({ source: NONE, target: { metric: names, other: [] } }, readings, 'target');

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

test('an alarm that is not checked blocks nothing', () => {
  expect(check(['a'], [reading('a', 'OK'), reading('other', 'ALARM')])).toBeUndefined();
});

test('an alarm about the source says nothing about the target, and the other way round', () => {
  const checked = { source: { metric: [], other: ['no-source'] }, target: NONE };
  const readings = [reading('no-source', 'ALARM')];
  expect(checkAlarms(checked, readings, 'target')).toBeUndefined();
  expect(checkAlarms(checked, readings, 'source')?.code).toBe('AlarmRaised');
});

test('a message reports ten alarms, and how many more there are: it travels in the state of the execution', () => {
  const names = Array.from({ length: 120 }, (_, index) => `alarm-${index}`);
  const raised = check(
    names,
    names.map((name) => reading(name, 'ALARM', 'x'.repeat(1023))),
  )!.message;
  expect(raised.length).toBeLessThan(12_000);
  expect(raised.split('\n').at(-1)).toBe('and 110 more like it');
  expect(check(names, [])!.message.split('\n')).toHaveLength(11);
});
