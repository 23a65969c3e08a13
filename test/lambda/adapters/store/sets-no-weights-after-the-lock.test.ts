import { AwsError } from '../../../../rehearsal/errors/aws-error';
import { CutoverConfig } from '../../../../core/cutover/cutover-config';
import { loadBalancerPort } from '../../../../lambda/adapters/load-balancer/load-balancer';
import { ARNS, LocalCloud, startLocalCloud } from '../../../rehearsal/aws/world';
import { callEndpoint } from '../world';

let cloud: LocalCloud;
let calls: number;
/** What happens at the first call, which is then throttled. */
let atFirst: () => void;
beforeEach(async () => {
  [calls, atFirst] = [0, () => undefined];
  const authorize = () => {
    calls += 1;
    if (calls > 1) return;
    atFirst();
    throw new AwsError('Throttling', 'Rate exceeded', 400);
  };
  cloud = await startLocalCloud({ authorize });
  callEndpoint(cloud.url);
});
afterEach(async () => {
  jest.restoreAllMocks();
  await cloud.stop();
});

const set = (untilMs: number) => {
  const smokeListenerArns = { source: ARNS.smokeListener, target: ARNS.smokeListener };
  const config = { weightedRuleArn: ARNS.rule, weightedListenerArn: ARNS.listener, smokeListenerArns } as CutoverConfig;
  const stickiness = { enabled: false, seconds: 0 };
  return loadBalancerPort(config).setForward({ groups: [{ arn: ARNS.target, weight: 1 }], stickiness }, untilMs);
};

test('a throttled call is repeated while the lock is held', async () => {
  await set(Date.now() + 60_000);
  expect(calls).toBe(2);
});

test('a process that was asleep in the middle of a call does not repeat it', async () => {
  const untilMs = Date.now() + 60_000;
  atFirst = () => void jest.spyOn(Date, 'now').mockReturnValue(untilMs);
  await expect(set(untilMs)).rejects.toMatchObject({ code: 'LockLost' });
  expect(calls).toBe(1);
});
