import { readBackWeights } from '../../../rehearsal/run/read-back';
import { keptWeights } from '../../../rehearsal/report/evidence';
import type { LocalCloud as RehearsedWorld } from '../../../rehearsal/cloud/local-cloud';
import { ARNS, LocalCloud, startLocalCloud } from '../aws/world';

let cloud: LocalCloud;
beforeAll(async () => {
  cloud = await startLocalCloud();
});
afterAll(() => cloud.stop());

/** As much of a world as is read. */
function rehearsed(weightedRuleArn: string): RehearsedWorld {
  const config = { weightedRuleArn, targetGroupArns: { source: ARNS.source, target: ARNS.target } };
  const model = { config, stack: { region: 'eu-central-1' } };
  return { model, endpoint: cloud.endpoint } as unknown as RehearsedWorld;
}

test('the weights are those of the rule; a rule that is gone, or does something else, has none', async () => {
  expect(await readBackWeights(rehearsed(ARNS.rule))).toEqual({ source: 100, target: 0 });
  expect(await readBackWeights(rehearsed(`${ARNS.rule}-gone`))).toBeUndefined();
  const fixed = { type: 'fixed-response', statusCode: 503, contentType: 'text/plain', body: '' } as const;
  cloud.elbModel.rule(ARNS.rule).actions = [fixed];
  expect(await readBackWeights(rehearsed(ARNS.rule))).toBeUndefined();
});

test('weights that cannot be read after a redeploy were not kept', () => {
  const redeployed = { app: 'next', status: 'UPDATE_COMPLETE', applied: [], passedOver: [] } as const;
  const weightsBefore = { source: 50, target: 50 };
  expect(keptWeights({ ...redeployed, weightsBefore })).toBe(false);
  expect(keptWeights({ ...redeployed, weightsBefore, weightsAfter: weightsBefore })).toBe(true);
});
