import { SMOKE_AGENT } from '../../../../core/plan/smoke';
import type { Side } from '../../../../core/traffic/weights';
import { BalancerCounts } from '../../../../rehearsal/load-balancer/counting/balancer-counts';

test('responses to clients count for the side that was chosen; those to smoke requests of the cutover are none of theirs', () => {
  const counts = new BalancerCounts((arn) => arn as Side, true);
  const ended = (agent: string | undefined, groupArn: string | undefined, status: number | undefined) =>
    counts.ended(
      { client: '127.0.0.1', agent, what: 'GET /', comesBack: false },
      { by: groupArn ? 'target' : 'rule', ...(groupArn && { groupArn }), outcome: { status, kind: 'http' } },
    );
  ended('curl/8', 'target', 200);
  ended(undefined, 'target', 500);
  ended(SMOKE_AGENT, 'source', 200);
  ended('curl/8', 'source', undefined);
  ended('curl/8', undefined, 503);
  expect(counts.responses).toEqual({ source: 0, target: 2 });
  expect(counts.exchanges).toBe(5);
});
