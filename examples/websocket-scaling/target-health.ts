// Before ECS stops a task it deregisters it, and waits for the deregistration delay. The task is told nothing of it, and when
// the delay is over the load balancer cuts its WebSockets. So a replica asks the load balancer how its own target is.
import { DescribeTargetHealthCommand, ElasticLoadBalancingV2Client } from '@aws-sdk/client-elastic-load-balancing-v2';

const EVERY_MS = 1000;

interface Watch {
  readonly targetGroupArn: string;
  /** The addresses of this task. */
  readonly ids: readonly string[];
  readonly onDraining: () => void;
}

/** Needs the right `elasticloadbalancing:DescribeTargetHealth`. */
export function watchTarget({ targetGroupArn, ids, onDraining }: Watch): void {
  const client = new ElasticLoadBalancingV2Client({});
  const look = async (): Promise<void> => {
    const command = new DescribeTargetHealthCommand({ TargetGroupArn: targetGroupArn });
    const { TargetHealthDescriptions: targets = [] } = await client.send(command);
    const isDraining = targets.some(
      ({ Target, TargetHealth }) => ids.includes(Target?.Id ?? '') && TargetHealth?.State === 'draining',
    );
    if (isDraining) onDraining();
  };
  const again = () => setTimeout(() => void look().catch(console.error).finally(again), EVERY_MS).unref();
  again();
}
