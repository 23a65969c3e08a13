import { Duration, Token, Tokenization } from 'aws-cdk-lib';
import { IPeer, IVpc } from 'aws-cdk-lib/aws-ec2';
import { parseUpstreamUrl, UPSTREAM_URL_RULE } from '../../core/validation/upstream-url';
import { readWeights } from '../../core/traffic/weights';
import { Problems } from '../../core/validation/problems';
import { TrafficWeights } from '../traffic/traffic-weights';
import { MigrationSide } from '../traffic/migration-side';

/**
 * What AWS, or the CDK, would accept now and fail on later is rejected at synth. A value that is known only later passes
 * (`isLater`).
 *
 * @throws Error of one line: name, rule, value.
 */
export function reject(name: string, rule: string, value: unknown): never {
  const problems = new Problems(String);
  problems.add(name, rule, value);
  throw new Error(problems.all[0]);
}

/** @throws Error of the first problem that `check` collects */
function rejectFirst(check: (problems: Problems) => void): void {
  const problems = new Problems(String);
  check(problems);
  const [first] = problems.all;
  if (first !== undefined) throw new Error(first);
}

/** What a lookup says until the account was asked: `valueFromLookup`, and `fromLookup` of networks, groups, zones and keys. */
const NOT_LOOKED_UP = /dummy-value-for-|^vpc-12345$|^sg-12345678$|^sg-123456789012$|^dummy\d[a-z]$|^DUMMY$/;

/**
 * Whether a value is known later only: at deployment (a token), or at the next synthesis (what stands for the result of a
 * lookup). If it were rejected, it would never be looked up.
 */
export function isLater(value: unknown): boolean {
  return Token.isUnresolved(value) || (typeof value === 'string' && NOT_LOOKED_UP.test(value));
}

export function checkWeights(name: string, { source, target }: TrafficWeights): void {
  // A weight that is known only later stands for one that is fine.
  const known = (weight: number) => (isLater(weight) ? 1 : weight);
  rejectFirst((problems) => readWeights(problems, name, { source: known(source), target: known(target) }));
}

/** Of whole seconds, as AWS counts. */
export function checkDuration(name: string, duration: Duration, bounds: { min: Duration; max: Duration }): void {
  if (duration.isUnresolved()) return;
  const ms = duration.toMilliseconds();
  if (!Number.isInteger(ms / 1000)) reject(name, 'a whole number of seconds', duration.toHumanString());
  if (ms < bounds.min.toMilliseconds() || ms > bounds.max.toMilliseconds()) {
    reject(name, `from ${bounds.min.toHumanString()} to ${bounds.max.toHumanString()}`, duration.toHumanString());
  }
}

/** What is written around a token is known, and checked. */
export function checkUpstreamUrl(name: string, url: string): void {
  if (!Token.isUnresolved(url)) {
    if (!isLater(url) && !parseUpstreamUrl(url)) reject(name, UPSTREAM_URL_RULE, url);
    return;
  }
  const parts = Tokenization.reverseString(url);
  if (parts.firstToken) return;
  const text = parts.mapTokens({ mapToken: () => '\0' }).join({ join: (one, other) => `${one}${other}` }) as string;
  // Behind a colon a token stands for a port.
  if (!isLater(text) && !parseUpstreamUrl(text.replace(/:\0/g, ':1').replace(/\0/g, 'a'))) {
    reject(name, UPSTREAM_URL_RULE, url);
  }
}

export function checkDomainName(name: string, domainName: string): void {
  if (isLater(domainName)) return;
  if (!/^[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*$/.test(domainName)) reject(name, 'a host name without a wildcard', domainName);
}

const arn = (service: string, resource: string) => new RegExp(`^arn:[\\w-]+:${service}:[\\w-]+:\\d{12}:${resource}$`);

/** What each ARN that a user hands in must be of. */
const ARNS = {
  stateMachine: { form: arn('states', 'stateMachine:[^:]+'), rule: 'the ARN of a state machine' },
  function: { form: arn('lambda', 'function:[^:]+'), rule: 'the ARN of a function, without a version or an alias' },
  queue: { form: arn('sqs', '[\\w.-]+'), rule: 'the ARN of a queue' },
  service: {
    form: arn('ecs', 'service/[^/]+/[^/]+'),
    rule: 'the ARN of a service of ECS, with the name of its cluster',
  },
  loadBalancer: {
    form: arn('elasticloadbalancing', 'loadbalancer/app/[^/]+/[^/]+'),
    rule: 'the ARN of an application load balancer',
  },
  targetGroup: { form: arn('elasticloadbalancing', 'targetgroup/[^/]+/[^/]+'), rule: 'the ARN of a target group' },
  // One of scope CLOUDFRONT fails at deployment only.
  webAcl: { form: arn('wafv2', 'regional/webacl/.+'), rule: 'the ARN of a web ACL of scope REGIONAL' },
} as const;

/** An absent one is for the caller to ask for. */
export function checkArn(name: string, kind: keyof typeof ARNS, value: string | undefined): void {
  if (value === undefined || isLater(value) || ARNS[kind].form.test(value)) return;
  reject(name, ARNS[kind].rule, value === '' ? "''" : value);
}

export function checkPort(name: string, port: number): void {
  if (isLater(port)) return;
  if (!Number.isInteger(port) || port < 1 || port > 65_535) reject(name, 'a port from 1 to 65535', port);
}

/** Ports of listeners of one load balancer. @param taken those that others have */
export function checkPorts(named: Readonly<Record<string, number>>, taken = new Set<number>()): void {
  for (const [name, port] of Object.entries(named)) {
    checkPort(name, port);
    if (isLater(port)) continue;
    if (taken.has(port)) reject(name, 'a port that no other listener has', port);
    taken.add(port);
  }
}

export function checkInteger(name: string, value: number, bounds: { min: number; max: number }): void {
  if (isLater(value)) return;
  rejectFirst((problems) => problems.integer(name, value, bounds));
}

/** Of proxies that were confused the alarms would watch the wrong side, and a cutover would move it the wrong way. */
export function checkSides({
  source,
  target,
}: {
  source: { side: MigrationSide };
  target: { side: MigrationSide };
}): void {
  const { SOURCE, TARGET } = MigrationSide;
  if (source.side !== SOURCE) reject('source', 'the proxies of the source', `those of the ${source.side}`);
  if (target.side !== TARGET) reject('target', 'the proxies of the target', `those of the ${target.side}`);
}

/** Everything here calls S3, for which no endpoint has a security group. */
export function checkApiPeers({ apiPeers }: { readonly apiPeers?: IPeer[] }): void {
  if (apiPeers?.length === 0) reject('apiPeers', 'the prefix list of S3 at least (or absent: anywhere)', 'none');
}

/** @param found the network of what is checked, as far as it is known */
export function checkSameNetwork(name: string, found: IVpc | undefined, { vpcId: expected }: IVpc): void {
  const id = found?.vpcId ?? expected;
  if ([id, expected].some((each) => isLater(each)) || id === expected) return;
  reject(name, `in the network ${expected}`, `one in ${id}`);
}
