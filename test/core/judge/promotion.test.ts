import { findMissing } from '../../../core/judge/promotion';
import { requestsToProve } from '../../../core/plan/judge-plan';

const at = (to: [number, number], from: [number, number] = [50_000, 0], errorBudget = 0.01) =>
  findMissing(
    { errorBudget },
    {
      from: { requests: from[0], errors: from[1] },
      to: { requests: to[0], errors: to[1] },
    },
  );

test.each([
  [0.01, 299],
  [0.005, 598],
  [0.5, 5],
  [1, 1],
])('a budget of %p takes %i requests without an error', (budget, requests) => {
  expect(requestsToProve(budget)).toBe(requests);
});

test('no traffic is no pass', () => {
  expect(at([0, 0])).toEqual({
    requests: 299,
    isOfNumber: true,
    message: 'the target must respond to at least 299 requests in a bake, got 0',
  });
  expect(at([298, 0])?.requests).toBe(1);
  expect(at([299, 0])).toBeUndefined();
});

test('with errors it takes more requests, and says how many', () => {
  const missing = at([299, 1]);
  expect(missing?.message).toBe(
    'the error rate of the target must be at most 1 % with 95 % confidence, got up to 1.5 %: 1 errors in 299 requests',
  );
  expect(at([299 + missing!.requests, 1])).toBeUndefined();
  expect(at([298 + missing!.requests, 1])).toBeDefined();
});

test('what the source fails at itself is no fault of the target', () => {
  expect(at([1_000, 20])).toBeDefined();
  expect(at([1_000, 20], [10_000, 200])).toBeUndefined();
  expect(at([1_000, 45], [10_000, 200])).toBeDefined();
});
