import { parseScenario } from '../../../core/scenario/scenario';
import { countEarlyRequests } from '../../../rehearsal/run/scenario';

const scenario = (more: object) =>
  parseScenario({ clients: 20, requestsPerSecond: 60, requests: [{ path: '/a' }, { path: '/b' }], ...more });

test.each([
  ['each entry once, after a request of each client', scenario({}), 22],
  ['and after the logins of all', scenario({ start: [{ path: '/login' }] }), 43],
  ['no longer than five seconds', scenario({ requestsPerSecond: 5 }), 22],
  ['but for one request of each client', scenario({ requestsPerSecond: 1 }), 20],
])('the cutover starts when the traffic has shown what is wrong at the source: %s', (_what, asked, expected) => {
  expect(countEarlyRequests(asked)).toBe(expected);
});
