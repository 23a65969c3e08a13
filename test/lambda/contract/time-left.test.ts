import { endInTime, leavingTime, timeLeftMs, waitingFor, withTimeLeft } from '../../../lambda/contract/time-left';

const hang = new Promise<never>(() => {});
const soon = { getRemainingTimeInMillis: () => 2_050 };
const RULE = 'Elastic Load Balancing must respond to DescribeTargetHealth';

test('of two calls that wait for the same the one that hangs is named, once', async () => {
  const ended = endInTime(soon, () =>
    Promise.all([
      waitingFor(RULE, () => Promise.resolve(1)),
      waitingFor(RULE, () => hang),
      waitingFor(RULE, () => hang),
    ]),
  );
  await expect(ended).rejects.toThrow(`a step must end within 0.05 s, got no end; ${RULE}`);
  await expect(ended).rejects.not.toThrow(new RegExp(`${RULE}.*${RULE}`));
});

test('what has ended is not named, whether it succeeded or failed', async () => {
  const other = 'S3 must respond to GetObject';
  await waitingFor(other, () => Promise.reject(new Error('503'))).catch(() => undefined);
  await waitingFor(other, () => Promise.resolve(1));
  await expect(endInTime(soon, () => hang)).rejects.not.toThrow(other);
});

test('a part of a step leaves time to what comes after it, also in another part; outside of a step there is no end', async () => {
  const left = () => Promise.resolve(timeLeftMs());
  const nested = () => leavingTime(4_500, () => leavingTime(500, left));
  expect(await withTimeLeft(() => 10_000, nested)).toBe(5_000);
  expect(await nested()).toBe(Number.POSITIVE_INFINITY);
});
