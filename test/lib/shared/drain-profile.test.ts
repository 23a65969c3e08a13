import { CfnParameter, Duration } from 'aws-cdk-lib';
import { DrainProfile } from '../../../lib/shared/drain-profile';
import { newStack } from '../fixture';

const seconds = ({ drain, deregistrationDelay, stopTimeout, gracePeriod }: DrainProfile) =>
  [drain, deregistrationDelay, stopTimeout, gracePeriod].map((duration) => duration?.toSeconds());

test.each([
  ['short-lived', DrainProfile.SHORT_LIVED, [30, 60, 50, 30]],
  ['mixed', DrainProfile.MIXED, [120, 150, 120, 100]],
  ['WebSocket-heavy', DrainProfile.WEBSOCKET_HEAVY, [300, 330, 120, 100]],
])('default: drain, deregistration delay, stop timeout and grace of %s', (_name, profile, expected) => {
  expect(seconds(profile)).toEqual(expected);
});

test('custom: what is not given follows from the drain', () => {
  expect(seconds(DrainProfile.custom({ drain: Duration.minutes(20) }))).toEqual([1200, 1230, 120, 100]);
  expect(seconds(DrainProfile.custom({ drain: Duration.seconds(0) }))).toEqual([0, 30, 20, 0]);
});

test('custom: longer ones than the drain needs', () => {
  const profile = DrainProfile.custom({
    drain: Duration.seconds(10),
    deregistrationDelay: Duration.minutes(5),
    stopTimeout: Duration.seconds(120),
  });
  expect(seconds(profile)).toEqual([10, 300, 120, 10]);
});

const known = { drain: Duration.seconds(60) };
test.each([
  [{ drain: Duration.hours(1) }, "'drain' must be from 0 seconds to 59 minutes 30 seconds, got 1 hour"],
  [
    { ...known, deregistrationDelay: Duration.seconds(89) },
    "'deregistrationDelay' must be at least 90 s (15 s for the last requests + drain 60 s + a margin of 15 s), got 89 s",
  ],
  [
    { ...known, deregistrationDelay: Duration.seconds(3601) },
    "'deregistrationDelay' must be from 0 seconds to 1 hour, got 1 hour 1 second",
  ],
  [
    { ...known, stopTimeout: Duration.seconds(121) },
    "'stopTimeout' must be from 20 seconds to 2 minutes, got 2 minutes 1 second",
  ],
  [
    { ...known, stopTimeout: Duration.seconds(79) },
    "'stopTimeout' must be at least 80 s (drain 60 s + 20 s, or what ECS grants at most), got 79 s",
  ],
  [
    { drain: Duration.minutes(10), stopTimeout: Duration.seconds(119) },
    "'stopTimeout' must be at least 120 s (drain 600 s + 20 s, or what ECS grants at most), got 119 s",
  ],
])('refused %#', (props, message) => {
  expect(() => DrainProfile.custom(props)).toThrow(message);
});

test('just what the drain needs is accepted', () => {
  const profile = DrainProfile.custom({
    ...known,
    deregistrationDelay: Duration.seconds(90),
    stopTimeout: Duration.seconds(80),
  });
  expect(seconds(profile)).toEqual([60, 90, 80, 60]);
});

describe('known only at deployment', () => {
  const later = () => Duration.seconds(new CfnParameter(newStack(), 'Seconds', { type: 'Number' }).valueAsNumber);

  test('a drain needs the two others beside it', () => {
    expect(() => DrainProfile.custom({ drain: later() })).toThrow(
      "'deregistrationDelay' must be given, where 'drain' is known only at deployment, got nothing",
    );
    const profile = DrainProfile.custom({ drain: later(), deregistrationDelay: later(), stopTimeout: later() });
    expect(profile.gracePeriod).toBeUndefined();
  });

  test('the others pass', () => {
    expect(() => DrainProfile.custom({ ...known, deregistrationDelay: later(), stopTimeout: later() })).not.toThrow();
  });
});
