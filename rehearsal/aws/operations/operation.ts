import type { ConditionContext } from '../iam/iam';
import type { Parameters } from './parameters';

/** A value as a protocol may write it: absent members are left out, a date is written in the protocol's own way. */
export type AwsValue = string | number | boolean | Date | undefined | readonly AwsValue[] | AwsObject;

export interface AwsObject {
  readonly [member: string]: AwsValue;
}

/** A right that the principal must have, in the words of its policies. */
export interface Need {
  /** `elasticloadbalancing:ModifyRule`. */
  readonly action: string;
  /** ARNs, or `*` for an action that has no resource level. Every one must be allowed. */
  readonly resources: readonly string[];
  /** Condition keys that the service itself fills in: `ecs:cluster`, `s3:prefix`, `aws:TagKeys`. */
  readonly context: ConditionContext;
}

/** One action of a service whose protocol has named operations. */
export interface Operation {
  /** What the action touches; without it the action has no resource level. May be called for things that do not exist. */
  readonly resources?: (input: Parameters) => readonly string[];
  readonly context?: (input: Parameters) => ConditionContext;
  /** Further rights that this call needs, beside the one of its own name. */
  readonly also?: (input: Parameters) => readonly Need[];
  /** Needs no right at all. */
  readonly isFree?: boolean;
  /**
   * @param principal the access key id of the caller.
   * @throws AwsError
   */
  readonly run: (input: Parameters, principal: string) => AwsObject;
  /** Responds as {@link run} does and changes nothing: for a fault that services have. */
  readonly pretend?: (input: Parameters, principal: string) => AwsObject;
}

export interface Service {
  /** The prefix of its actions in policies. */
  readonly prefix: string;
  /** The code with which this service rejects a parameter. */
  readonly invalidCode: string;
  readonly operations: ReadonlyMap<string, Operation>;
}

/** Who owns the things that ARNs are made of here. */
export interface Place {
  readonly region: string;
  readonly account: string;
}

export function listNeeds(service: Service, action: string, operation: Operation, input: Parameters): Need[] {
  if (operation.isFree) return [];
  const own = {
    action: `${service.prefix}:${action}`,
    resources: operation.resources?.(input) ?? ['*'],
    context: operation.context?.(input) ?? {},
  };
  return [own, ...(operation.also?.(input) ?? [])];
}
