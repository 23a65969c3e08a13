import { AlarmReading, vetoOf } from '../../core/veto';

const reading = (name: string, state: AlarmReading['state'], reason = ''): AlarmReading => ({ name, state, reason });

test('no alarm, no veto', () => {
  expect(vetoOf([], [])).toBeUndefined();
  expect(vetoOf(['a'], [reading('a', 'OK')])).toBeUndefined();
});

test('no data is no ALARM: an alarm on errors has none for as long as there are none', () => {
  expect(vetoOf(['a'], [reading('a', 'INSUFFICIENT_DATA')])).toBeUndefined();
});

test('every alarm in ALARM is named, with what CloudWatch says of it', () => {
  const readings = [reading('a', 'ALARM', '5 over 1'), reading('b', 'OK'), reading('c', 'ALARM')];
  expect(vetoOf(['a', 'b', 'c'], readings)).toEqual({
    code: 'AlarmRaised',
    message: "the alarm 'a' must not be in ALARM, got 5 over 1\nthe alarm 'c' must not be in ALARM, got ALARM",
  });
});

test('an alarm that is gone is a veto, because nobody can say what it would have said', () => {
  expect(vetoOf(['a', 'b'], [reading('a', 'OK')])).toEqual({
    code: 'AlarmMissing',
    message: "the alarm 'b' must exist, got none",
  });
});

test('an alarm that nobody asked for is no veto', () => {
  expect(vetoOf(['a'], [reading('a', 'OK'), reading('other', 'ALARM')])).toBeUndefined();
});
