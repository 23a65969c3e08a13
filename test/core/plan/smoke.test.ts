import { sideState } from '../../../core/judge/side-state';
import { describeResponse, findResponse, smokeSample } from '../../../core/plan/smoke';

const request = { path: '/', expectedStatus: 200 };
const responses = (...got: (number | string)[]) =>
  got.map((each, index) => ({ target: `10.0.0.${index}:8443`, got: each }));

test.each<[readonly (number | string)[], 'every' | 'half', number | string]>([
  [[200, 200], 'every', 200],
  [[200, 502], 'every', 502],
  [[200, 502], 'half', 200],
  [[502, 200, 'no response'], 'half', 502],
  [[200], 'half', 200],
  [[502], 'half', 502],
  [[], 'half', 'no healthy target'],
])('of %j %s must respond: %s', (got, quorum, expected) => {
  expect(findResponse(responses(...got), 200, quorum).got).toBe(expected);
});

test('targets that were not asked are none that respond, and a failure goes first', () => {
  expect(findResponse(responses(200, 200), 200, 'every', 3).got).toBe(
    'no response of 3 of 5 targets: there was no time to ask them',
  );
  expect(findResponse(responses(200, 502), 200, 'every', 3)).toEqual({
    got: 502,
    from: '10.0.0.1:8443, 1 of 2 targets',
  });
});

test('a side that fails names the target, and how many are like it', () => {
  const response = findResponse(responses(200, 508, 508), 200, 'half');
  expect(describeResponse(response)).toBe('508 (10.0.0.1:8443, 2 of 3 targets)');
  expect(sideState('source', { healthyTargets: 3, smoke: [{ ...request, ...response }] }, 1)).toMatchObject({
    code: 'ForwardingLoop',
    reason: expect.stringContaining('got 508 (10.0.0.1:8443, 2 of 3 targets) (a forwarding loop') as string,
  });
});

test('the requests of a plan are as many as the longest plan has, whatever the number of targets', () => {
  const sample = (requests: number) =>
    smokeSample(
      Array.from({ length: requests }, () => request),
      'every',
    ).maxAtOnce;
  expect([sample(0), sample(1), sample(3), sample(50)]).toEqual([50, 50, 16, 1]);
});
