import { ProofOrder, PROOF_VARIABLE, unproven } from '../../../core/cutover/proof';

const order: ProofOrder = {
  loadBalancerArn: 'balancer',
  smokeListenerArns: { source: 'ls', target: 'lt' },
  targetGroupArns: { source: 's', target: 't' },
  domainName: 'shop.example.com',
  smoke: [
    { path: '/', expectedStatus: 200 },
    { path: '/health', expectedStatus: 204 },
  ],
  minTasks: { source: 2, target: 1 },
  waitSeconds: 600,
};
const GOOD = [{ got: 200 }, { got: 204 }];

test.each([
  ['enough targets that respond prove a side', 2, GOOD, []],
  [
    'too few healthy targets do not',
    1,
    GOOD,
    [{ code: 'TargetsUnhealthy', message: 'the source must have its 2 proxies healthy, got 1' }],
  ],
  [
    'each response counts, and one that is missing is none',
    0,
    [{ got: 500, from: '10.0.0.1, 1 of 2 targets' }],
    [
      { code: 'TargetsUnhealthy', message: 'the source must have its 2 proxies healthy, got 0' },
      { code: 'SmokeFailed', message: 'GET / on the source must respond with 200, got 500 (10.0.0.1, 1 of 2 targets)' },
      { code: 'SmokeFailed', message: 'GET /health on the source must respond with 204, got none' },
    ],
  ],
  [
    'a forwarding loop is named as what it is',
    3,
    [{ got: 508 }, { got: 204 }],
    [
      {
        code: 'ForwardingLoop',
        message:
          'GET / on the source must respond with 200, got 508 (a forwarding loop: the upstream of the source leads back to its proxies)',
      },
    ],
  ],
])('%s', (_, healthyTargets, responses, found) => {
  expect(unproven('source', order, { healthyTargets, responses })).toEqual(found);
});

// Deployed functions have it in their environment.
test('the name of the variable stays', () => {
  expect(PROOF_VARIABLE).toBe('DRAINSHIFT_PROOF');
});
