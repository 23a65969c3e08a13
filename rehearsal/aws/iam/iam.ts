import { AwsError } from '../../errors/aws-error';

/** One statement of an identity policy; ARNs are resolved, no intrinsics. */
export interface PolicyStatement {
  readonly Effect: 'Allow' | 'Deny';
  readonly Action?: OneOrMany;
  readonly NotAction?: OneOrMany;
  readonly Resource?: OneOrMany;
  readonly NotResource?: OneOrMany;
  /** Operator → key → values. */
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, OneOrMany>>>>;
}

type OneOrMany = string | boolean | readonly (string | boolean)[];

/** Condition keys of one request. A key of many values has a list. */
export type ConditionContext = Readonly<Record<string, string | readonly string[]>>;

/**
 * Whether the identity policies of a principal allow an action on one resource: denied unless allowed, and an explicit
 * deny wins. Pure. What it cannot evaluate (an unknown operator) counts against the caller: it never allows and always denies.
 *
 * @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
 */
export function isAllowed(
  statements: readonly PolicyStatement[],
  action: string,
  resource: string,
  conditionContext: ConditionContext = {},
): boolean {
  const applying = statements.filter((statement) => applies(statement, action, resource, conditionContext));
  return applying.some(({ Effect }) => Effect === 'Allow') && !applying.some(({ Effect }) => Effect === 'Deny');
}

/** What AWS responds with to a caller that is not allowed. */
export function accessDenied(principalArn: string, action: string, resource: string): AwsError {
  return new AwsError(
    'AccessDenied',
    `User: ${principalArn} is not authorized to perform: ${action} on resource: ${resource}` +
      ` because no identity-based policy allows the ${action} action`,
    403,
  );
}

function applies(statement: PolicyStatement, action: string, resource: string, context: ConditionContext): boolean {
  return (
    covers(statement.Action, statement.NotAction, (pattern) => glob(pattern.toLowerCase(), action.toLowerCase())) &&
    covers(statement.Resource, statement.NotResource, (pattern) => glob(pattern, resource)) &&
    conditionsHold(statement, context)
  );
}

function covers(
  included: OneOrMany | undefined,
  excluded: OneOrMany | undefined,
  matches: (pattern: string) => boolean,
): boolean {
  if (included !== undefined) return findList(included).some(matches);
  return excluded !== undefined && !findList(excluded).some(matches);
}

/** All operators and all keys must hold; of the values of one key in the policy, any. */
function conditionsHold({ Effect, Condition }: PolicyStatement, context: ConditionContext): boolean {
  return Object.entries(Condition ?? {}).every(([name, keys]) => {
    const test = readOperator(name);
    return Object.entries(keys).every(([key, values]) => {
      return test?.(contextValues(context, key), findList(values)) ?? Effect === 'Deny';
    });
  });
}

/** @returns whether the values of a request hold; nothing where that cannot be said */
type ConditionTest = (actual: readonly string[], values: readonly string[]) => boolean | undefined;

/**
 * Without one of the set operators a key must have one value. `ForAllValues` holds of none, too.
 *
 * @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html
 */
function readOperator(name: string): ConditionTest | undefined {
  if (name === 'Null') return (actual, values) => values.includes(String(actual.length === 0));
  const [, set, plain = '', optional] = /^(?:(ForAllValues|ForAnyValue):)?(.*?)(IfExists)?$/.exec(name) ?? [];
  const operator = OPERATORS.get(plain);
  if (!operator) return undefined;
  const { isNegated, holds } = operator;
  return (actual, values) => {
    if (set === 'ForAllValues') return actual.every((each) => holds(each, values));
    if (actual.length === 0) return optional !== undefined || (isNegated && set === undefined);
    if (set === 'ForAnyValue') return actual.some((each) => holds(each, values));
    const [only, more] = actual;
    return only === undefined || more !== undefined ? undefined : holds(only, values);
  };
}

interface Operator {
  /** Holds when the key is not in the request. */
  readonly isNegated: boolean;
  readonly holds: (actual: string, values: readonly string[]) => boolean;
}

const any = (test: (pattern: string, actual: string) => boolean): Operator => ({
  isNegated: false,
  holds: (actual, values) => values.some((value) => test(value, actual)),
});
const none = (test: (pattern: string, actual: string) => boolean): Operator => ({
  isNegated: true,
  holds: (actual, values) => !values.some((value) => test(value, actual)),
});
const same = (value: string, actual: string) => value === actual;
const sameText = (value: string, actual: string) => value.toLowerCase() === actual.toLowerCase();

const OPERATORS: ReadonlyMap<string, Operator> = new Map(
  Object.entries({
    StringEquals: any(same),
    StringNotEquals: none(same),
    StringEqualsIgnoreCase: any(sameText),
    StringLike: any(glob),
    StringNotLike: none(glob),
    // As documented, ArnEquals and ArnLike behave identically.
    ArnEquals: any(arnLike),
    ArnLike: any(arnLike),
    ArnNotEquals: none(arnLike),
    ArnNotLike: none(arnLike),
    Bool: any(sameText),
  }),
);

/** Keys are case-insensitive. The loopback stands for a call over TLS, so a policy that asks for TLS is content. */
function contextValues(context: ConditionContext, key: string): readonly string[] {
  const wanted = key.toLowerCase();
  const [, found = []] = Object.entries(context).find(([name]) => name.toLowerCase() === wanted) ?? [];
  if (wanted === 'aws:securetransport' && found.length === 0) return ['true'];
  return typeof found === 'string' ? [found] : found;
}

/** Each of the six parts of an ARN is compared by itself, so that `*` in one cannot swallow a colon. */
function arnLike(pattern: string, arn: string): boolean {
  const [patternParts, parts] = [arnParts(pattern), arnParts(arn)];
  return patternParts.length === parts.length && patternParts.every((part, index) => glob(part, parts[index] ?? ''));
}

function arnParts(arn: string): string[] {
  const parts = arn.split(':');
  return [...parts.slice(0, 5), parts.slice(5).join(':')];
}

/** `*` any run of characters, `?` exactly one. */
function glob(pattern: string, text: string): boolean {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replace(/\*+/g, '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`, 's').test(text);
}

function findList(values: OneOrMany): string[] {
  return (Array.isArray(values) ? (values as readonly (string | boolean)[]) : [values as string | boolean]).map(String);
}
