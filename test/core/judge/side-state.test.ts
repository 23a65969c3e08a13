import { SideReading, SideState, describeSide, mayTakeBack, sideState } from '../../../core/judge/side-state';

const smoked = (...got: (number | string)[]) =>
  got.map((each, i) => ({ path: `/${i}`, expectedStatus: 200, got: each }));
const loop = '(a forwarding loop: the upstream of the target leads back to its proxies)';

test.each<[string, SideReading, SideState]>([
  ['healthy and responding', { healthyTargets: 2, smoke: smoked(200) }, { serves: true }],
  ['healthy, without smoke requests', { healthyTargets: 2, smoke: [] }, { serves: true }],
  ['responding, and of unknown health', { healthyTargets: undefined, smoke: smoked(200) }, { serves: true }],
  [
    'too few healthy targets',
    { healthyTargets: 1, smoke: smoked(200) },
    { serves: false, code: 'TargetsUnhealthy', reason: 'the target must have at least 2 healthy targets, got 1' },
  ],
  [
    'each response that is not as expected',
    { healthyTargets: 2, smoke: smoked(500, 200, 'timeout') },
    {
      serves: false,
      code: 'SmokeFailed',
      reason: 'GET /0 on the target must return 200, got 500\nGET /2 on the target must return 200, got timeout',
    },
  ],
  [
    'a loop among other failures',
    { healthyTargets: 2, smoke: smoked(500, 508) },
    {
      serves: false,
      code: 'ForwardingLoop',
      reason: `GET /0 on the target must return 200, got 500\nGET /1 on the target must return 200, got 508 ${loop}`,
    },
  ],
  [
    'smoke requests that could not be sent, of a healthy side',
    { healthyTargets: 2, smoke: [], notAsked: ['no list'] },
    { serves: 'unknown', isHealthy: true, reason: 'no list' },
  ],
  [
    'smoke requests that could not be sent, beside one that was',
    { healthyTargets: undefined, smoke: smoked(200), notAsked: ['no list', 'again'] },
    { serves: 'unknown', isHealthy: false, reason: 'no list' },
  ],
  [
    'nothing known at all',
    { healthyTargets: undefined, smoke: [] },
    {
      serves: 'unknown',
      isHealthy: false,
      reason: "the load balancer's API must report the health of the target, got no response",
    },
  ],
])('%s', (_, reading, state) => {
  expect(sideState('target', reading, 2)).toEqual(state);
});

test.each<[SideState, boolean, string]>([
  [{ serves: true }, true, 'the source serves'],
  [{ serves: false, code: 'SmokeFailed', reason: 'first\nsecond' }, false, 'the source does not serve (first)'],
  [{ serves: 'unknown', isHealthy: true, reason: 'no list' }, true, 'the source is unknown (no list)'],
  [{ serves: 'unknown', isHealthy: false, reason: 'no list' }, false, 'the source is unknown (no list)'],
])('whether a rollback may send traffic to %j, and what it is called', (state, may, words) => {
  expect(mayTakeBack(state)).toBe(may);
  expect(describeSide('source', state)).toBe(words);
});
