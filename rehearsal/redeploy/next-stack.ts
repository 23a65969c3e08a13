import type { CutoverConfig } from '../../core/cutover/cutover-config';
import type { Stack } from '../template/assembly/template';
import { StackModel, readStackModel } from '../template/model/stack-model';
import { UsageError } from '../errors/usage-error';
import { replacedGroups } from './replaced-groups';

const OPTION = '--redeploy';

/** What the standing tasks and clients know it by: without it there is nothing to redeploy to. */
const DEPLOYED_PARTS = [
  'loadBalancerArn',
  'weightedListenerArn',
  'smokeListenerArns',
  'clusterArn',
  'serviceNames',
  'adminSecretArn',
] as const satisfies readonly (keyof CutoverConfig)[];

/**
 * The stack of another assembly that is to be deployed over this one.
 *
 * @throws UsageError for what CloudFormation rejects before it begins, and for what cannot be rehearsed
 */
export function readNextStack(before: StackModel, stacks: readonly Stack[]): StackModel {
  const { stack, resources, secrets, domain } = before;
  const next = readStackModel(stacks, stack.name, {
    identities: resources.identities,
    secrets,
    option: OPTION,
    migration: stack.migration,
    domain,
  });
  for (const key of ['account', 'region'] as const) {
    if (next.stack[key] !== stack[key]) throw reject(`the ${key} '${stack[key]}'`, next.stack[key]);
  }
  for (const logicalId of next.resources.logicalIds) {
    // Every reference is resolved, also in what is not rehearsed.
    const [from, to] = [resources.describe(logicalId), next.resources.describe(logicalId)];
    // Properties are resolved when they are read.
    void to?.properties;
    if (from && to && from.type !== to.type) throw reject(`the type '${from.type}' of '${logicalId}'`, to.type);
  }
  for (const part of DEPLOYED_PARTS) {
    const [from, to] = [before.config[part], next.config[part]].map((value) => JSON.stringify(value));
    if (from !== to) throw reject(`the cutover's '${part}' to be rehearsed`, to);
  }
  const running = replacedGroups(before, next).running;
  for (const arn of Object.values(next.config.targetGroupArns)) {
    const isKnown = before.elb.targetGroups.has(arn) || [...running.keys()].some((id) => resolveRef(next, id) === arn);
    if (!isKnown) throw reject("the cutover's 'targetGroupArns' in the template to be rehearsed", arn);
  }
  return next;
}

const resolveRef = (next: StackModel, logicalId: string) => next.resources.find(logicalId)?.identity.ref;

function reject(what: string, got: string | undefined): UsageError {
  return new UsageError(`'${OPTION}' must keep ${what}, got '${got ?? 'none'}'`);
}
