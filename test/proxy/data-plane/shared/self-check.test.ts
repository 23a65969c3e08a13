import { SelfCheck, Verdict, reachVerdict } from '../../../../proxy/data-plane/shared/self-check';
import { tryHandleTransport } from '../../../../proxy/data-plane/transport/handle-transport-check';

/** A check whose attempts come to these verdicts, one after the other, and whose pauses are over when they are called. */
function check(...verdicts: (Verdict | Error)[]) {
  const pauses: { ms: number; end: () => void }[] = [];
  let attempts = 0;
  const attempt = () => {
    const verdict = verdicts[Math.min(attempts, verdicts.length - 1)]!;
    attempts += 1;
    return verdict instanceof Error ? Promise.reject(verdict) : Promise.resolve(verdict);
  };
  const selfCheck = new SelfCheck(attempt, (ms, end) => void pauses.push({ ms, end }));
  return { selfCheck, pauses, attempts: () => attempts };
}

const settle = () => new Promise((resolve) => setImmediate(resolve));

test('a trial without a result is repeated until there is one, later and later, and each change is reported', async () => {
  const late: Verdict = { result: 'untried', why: 'too late' };
  const { selfCheck, pauses } = check(late, late, { result: 'right' });
  const notified: Verdict[] = [];
  selfCheck.watch((verdict) => notified.push(verdict));
  await selfCheck.start();
  expect(selfCheck.verdict).toBe(late);
  pauses[0]!.end();
  await settle();
  pauses[1]!.end();
  await settle();
  expect(selfCheck.verdict).toEqual({ result: 'right' });
  expect(notified).toEqual([late, { result: 'right' }]);
  expect(pauses.map(({ ms }) => ms)).toEqual([1_000, 2_000]);
});

test('the pauses end at five minutes', async () => {
  const { selfCheck, pauses } = check({ result: 'untried' });
  await selfCheck.start();
  for (let n = 0; n < 12; n += 1) {
    pauses[n]!.end();
    await settle();
  }
  expect(pauses.at(-1)!.ms).toBe(300_000);
});

test.each(['right', 'wrong'] as const)('a %s result is one for ever', async (result) => {
  const { selfCheck, pauses, attempts } = check({ result });
  await selfCheck.start();
  await selfCheck.start();
  expect([selfCheck.verdict.result, pauses, attempts()]).toEqual([result, [], 1]);
});

test.each([
  ['EMFILE', 'untried'],
  ['ECONNRESET', 'untried'],
  ['EADDRNOTAVAIL', 'untried'],
  ['EINVAL', 'wrong'],
  [undefined, 'wrong'],
] as const)('an error with the code %s makes it %s', (code, result) => {
  expect(reachVerdict(Object.assign(new Error('of a test'), { code }))).toEqual({ result, why: 'of a test' });
});

test('on this Node.js the fast path is right, and no time to see that is no result', async () => {
  expect(await tryHandleTransport(0)).toEqual({
    result: 'untried',
    why: 'it came to no result within 0 s',
    isLate: true,
  });
  expect(await tryHandleTransport(60_000)).toEqual({ result: 'right' });
});
