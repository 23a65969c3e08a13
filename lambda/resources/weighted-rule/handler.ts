import { LOCK_SECONDS } from '../../../core/traffic/lock';
import { listenerRulesPort } from '../../adapters/load-balancer/listener-rules';
import { lockPort } from '../../adapters/store/lock';
import { customResourceHandler } from '../custom-resource';
import { guardDeletion } from './guard-deletion';
import { guardGroups } from './guard-groups';
import { ownRule } from './own-rule';

/** Behind the rules, and behind the guards of their deletion and of their groups. */
export const handler = customResourceHandler((event, signal) => {
  const { StoreBucket: bucket } = event.ResourceProperties as { StoreBucket?: unknown };
  if (typeof bucket !== 'string') throw new Error(`'StoreBucket' must be a text, got ${JSON.stringify(bucket)}`);
  const lock = lockPort(bucket, { seconds: LOCK_SECONDS.deploy, warn, signal });
  const rules = listenerRulesPort(signal);
  if (event.ResourceType === 'Custom::DrainshiftGuard') return guardDeletion(event, { rules, lock });
  if (event.ResourceType === 'Custom::DrainshiftGroupGuard') return guardGroups(event, rules);
  return ownRule(event, { rules, lock });
});

function warn(message: string): void {
  process.stdout.write(`${JSON.stringify({ level: 'warn', message })}\n`);
}
