import type { FunctionSpec } from '../../functions/function';
import { UsageError } from '../../errors/usage-error';
import { STATE_MACHINE, buildMachines } from './functions';
import { Ready, Resources } from '../resources/resources';

/** A resource that a Lambda function of the template creates, changes and deletes. */
export interface CustomResource {
  readonly logicalId: string;
  readonly type: string;
  /** The ARN of the function behind it. */
  readonly serviceToken: string;
  /** As CloudFormation sends them: every scalar is a string. */
  readonly properties: Readonly<Record<string, unknown>>;
  /** How long CloudFormation waits for a response. */
  readonly timeoutSeconds: number;
}

/** Asked before the services are updated, and makes nothing. */
export const GROUP_GUARD = 'Custom::DrainshiftGroupGuard';

/** Waits for the proxies' services before a rule joins a listener with traffic. */
export const PROOF = 'Custom::DrainshiftProof';

/** The types that are run. The others make things that a rehearsal has no need of; their attributes are made up. */
const RUN_TYPES: readonly string[] = ['Custom::DrainshiftWeightedRule', 'Custom::DrainshiftGuard', PROOF, GROUP_GUARD];

/** What CloudFormation waits unless the resource says otherwise. */
const DEFAULT_TIMEOUT_SECONDS = 3600;

export function isRun(type: string): boolean {
  return RUN_TYPES.includes(type);
}

/**
 * Those that are run, in the order of their creation.
 *
 * @throws UsageError when the function behind one is not in the template
 */
export function buildCustomResources(resources: Resources, functions: readonly FunctionSpec[]): CustomResource[] {
  const ready = resources.where(isRun);
  const order = ready.length > 1 ? resources.logicalIds : [];
  const inOrder = ready.sort((a, b) => order.indexOf(a.logicalId) - order.indexOf(b.logicalId));
  return inOrder.map((each) => {
    const resource = customResource(each);
    if (functions.some(({ arn }) => arn === resource.serviceToken)) return resource;
    throw new UsageError(
      `'ServiceToken' of '${each.logicalId}' must be a Node.js function of the template to be rehearsed, got '${resource.serviceToken}'`,
    );
  });
}

export function customResource({ logicalId, type, properties }: Ready): CustomResource {
  return {
    logicalId,
    type,
    serviceToken: properties.string('ServiceToken'),
    properties: stringified(properties.raw) as Record<string, unknown>,
    timeoutSeconds: properties.number('ServiceTimeout', DEFAULT_TIMEOUT_SECONDS),
  };
}

/** What of a stack nothing stands up, by logical id and type, for people to know. */
export function notRun(resources: Resources): string[] {
  const isCustom = (type: string) => type.startsWith('Custom::') || type === 'AWS::CloudFormation::CustomResource';
  const fronts = resources
    .ofType('AWS::ElasticLoadBalancingV2::LoadBalancer')
    .filter(({ properties }) => properties.string('Type', 'application') === 'network');
  const machines = buildMachines(resources);
  const others = resources
    .ofType(STATE_MACHINE)
    .filter(({ identity }) => !machines.some(({ arn }) => arn === identity.ref));
  return [...resources.where((type) => isCustom(type) && !isRun(type)), ...fronts, ...others].map(
    ({ logicalId, type }) => `'${logicalId}' (${type})`,
  );
}

/** @see https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-requests.html */
function stringified(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(stringified);
  if (typeof value !== 'object' || value === null) return String(value);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, stringified(item)]));
}
