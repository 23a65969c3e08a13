import { AwsError } from '../../errors/aws-error';

/** The load balancer's live state, in the words of the ELBv2 API. Written by `rules.ts`, `targets.ts`, the start-up and a redeploy. */
export interface LoadBalancer {
  readonly arn: string;
  readonly name: string;
  readonly dnsName: string;
  readonly scheme: 'internal' | 'internet-facing';
  readonly vpcId: string;
  readonly subnetIds: readonly string[];
  readonly securityGroups: readonly string[];
  readonly attributes: Map<string, string>;
  readonly createdAt: Date;
}

export interface Listener {
  readonly arn: string;
  readonly loadBalancerArn: string;
  /** The port that is bound here; `templatePort` is the one in the template. They differ where a port is mapped. */
  port: number;
  readonly templatePort: number;
  readonly protocol: 'HTTP' | 'HTTPS';
  /** The default one first. */
  certificateArns: readonly string[];
  sslPolicy: string | undefined;
  readonly attributes: Map<string, string>;
}

export interface Rule {
  readonly arn: string;
  readonly listenerArn: string;
  /** `default` for the listener's default action. */
  priority: number | 'default';
  conditions: readonly RuleCondition[];
  actions: readonly Action[];
  /** @default - none */
  transforms?: readonly RuleTransform[];
  /** What was written last and is not in force everywhere yet. @default - it is */
  lag?: RuleLag;
}

/** The actions before, which a load balancer that accepted others still uses or shows. */
export interface RuleLag {
  readonly actions: readonly Action[];
  /** Where they are still seen: by requests, or by those who read the rule. */
  readonly at: 'routing' | 'reading';
  /** Of the requests, or of the reads: 0–1. */
  readonly share: number;
}

/** What a rule rewrites of a request that it forwards, after it was chosen by what the client sent. */
export interface RuleTransform {
  readonly type: (typeof TRANSFORM_TYPES)[number];
  /** The first that matches is applied. `$1` in a replacement is what the first parentheses matched. */
  readonly rewrites: readonly { readonly regex: string; readonly replace: string }[];
}

export const TRANSFORM_TYPES = ['host-header-rewrite', 'url-rewrite'] as const;

/** Of an ALB's conditions, the rehearsal understands these; `*` and `?` are wildcards in both. */
export const CONDITION_FIELDS = ['path-pattern', 'host-header'] as const;

export interface RuleCondition {
  readonly field: (typeof CONDITION_FIELDS)[number];
  readonly values: readonly string[];
}

export type Action =
  | { readonly type: 'forward'; readonly forward: ForwardConfig }
  | {
      readonly type: 'fixed-response';
      readonly statusCode: number;
      readonly contentType: string;
      readonly body: string;
    }
  | { readonly type: 'redirect'; readonly redirect: Readonly<Record<string, string>>; readonly statusCode: number };

export interface ForwardConfig {
  readonly targetGroups: readonly WeightedGroup[];
  readonly stickiness: { readonly enabled: boolean; readonly durationSeconds: number };
}

interface WeightedGroup {
  readonly arn: string;
  readonly weight: number;
}

/** What a group's targets are spoken to in; GRPC is rejected when a template is read. */
export type ProtocolVersion = 'HTTP1' | 'HTTP2';

export interface TargetGroup {
  readonly arn: string;
  readonly name: string;
  readonly protocol: 'HTTP' | 'HTTPS';
  readonly protocolVersion: ProtocolVersion;
  readonly port: number;
  readonly vpcId: string;
  readonly targetType: 'ip';
  healthCheck: HealthCheck;
  /** `stickiness.enabled`, `deregistration_delay.timeout_seconds`, … as DescribeTargetGroupAttributes names them. */
  readonly attributes: Map<string, string>;
  /** By `ip:port`. */
  readonly targets: Map<string, Target>;
  /** Sent to its targets so far. @default 0 */
  requests?: number;
}

export interface HealthCheck {
  readonly protocol: 'HTTP' | 'HTTPS';
  /** `traffic-port` or a number. */
  readonly port: string;
  readonly path: string;
  readonly intervalSeconds: number;
  readonly timeoutSeconds: number;
  readonly healthyThreshold: number;
  readonly unhealthyThreshold: number;
  /** `200`, `200-299`, `200,204`. */
  readonly matcher: string;
}

export type TargetState = 'initial' | 'healthy' | 'unhealthy' | 'unused' | 'draining';

export interface Target {
  readonly id: string;
  readonly port: number;
  state: TargetState;
  /** `Elb.RegistrationInProgress`, `Target.ResponseCodeMismatch`, `Target.Timeout`, … with a sentence, where the API gives one. */
  reason?: { readonly code: string; readonly description: string };
  /** Requests in flight, for least_outstanding_requests. */
  outstanding: number;
}

/** A fault: for so long after each write of actions the ones before are still there. */
export interface Propagation extends Omit<RuleLag, 'actions'> {
  /** `Infinity`: until the next write. */
  readonly ms: number;
}

/** How a target is named: by its address. */
export interface TargetAddress {
  readonly id: string;
  readonly port: number;
}

/** Everything the ELBv2 API can speak of, by ARN. */
export class ElbModel {
  readonly loadBalancers = new Map<string, LoadBalancer>();
  readonly listeners = new Map<string, Listener>();
  readonly rules = new Map<string, Rule>();
  readonly targetGroups = new Map<string, TargetGroup>();
  /** Tags by ARN. */
  readonly tags = new Map<string, Record<string, string>>();
  /** How what is written into a rule comes into force. @default - everywhere and at once */
  propagation: Propagation | undefined;

  listListeners(loadBalancerArn: string): Listener[] {
    return [...this.listeners.values()].filter((listener) => listener.loadBalancerArn === loadBalancerArn);
  }

  /** In the order of evaluation: by priority, the default last. */
  listRules(listenerArn: string): Rule[] {
    const order = (rule: Rule) => (rule.priority === 'default' ? Infinity : rule.priority);
    return [...this.rules.values()]
      .filter((rule) => rule.listenerArn === listenerArn)
      .sort((a, b) => order(a) - order(b));
  }

  /** A group is in use when a rule names it; one that no rule names has targets in state `unused`. */
  isInUse(targetGroupArn: string): boolean {
    return [...this.rules.values()].some((rule) => listGroups(rule).some((group) => group.arn === targetGroupArn));
  }

  listLoadBalancers(targetGroupArn: string): string[] {
    const arns = [...this.rules.values()]
      .filter((rule) => listGroups(rule).some((group) => group.arn === targetGroupArn))
      .map((rule) => this.listeners.get(rule.listenerArn)?.loadBalancerArn ?? '');
    return [...new Set(arns)];
  }

  /** @throws AwsError as the API does for an ARN that it does not know, or that is none of this kind. */
  rule(arn: string): Rule {
    return found(this.rules, arn, 'rule');
  }

  listener(arn: string): Listener {
    return found(this.listeners, arn, 'listener');
  }

  targetGroup(arn: string): TargetGroup {
    return found(this.targetGroups, arn, 'targetGroup');
  }

  loadBalancer(arn: string): LoadBalancer {
    return found(this.loadBalancers, arn, 'loadBalancer');
  }
}

export function listGroups(rule: Rule): readonly WeightedGroup[] {
  return rule.actions.flatMap((action) => (action.type === 'forward' ? action.forward.targetGroups : []));
}

interface Kind {
  readonly noun: string;
  readonly code: string;
  readonly shape: RegExp;
}

/** @see https://docs.aws.amazon.com/service-authorization/latest/reference/list_awselasticloadbalancingv2.html#awselasticloadbalancingv2-resources-for-iam-policies */
const KINDS: Readonly<Record<'rule' | 'listener' | 'targetGroup' | 'loadBalancer', Kind>> = {
  rule: { noun: 'listener rule', code: 'RuleNotFound', shape: /:listener-rule\/(?:app|net|gwy)(?:\/[^/]+){4}$/ },
  listener: { noun: 'listener', code: 'ListenerNotFound', shape: /:listener\/(?:app|net|gwy)(?:\/[^/]+){3}$/ },
  targetGroup: { noun: 'target group', code: 'TargetGroupNotFound', shape: /:targetgroup(?:\/[^/]+){2}$/ },
  loadBalancer: {
    noun: 'load balancer',
    code: 'LoadBalancerNotFound',
    shape: /:loadbalancer\/(?:app|net|gwy)(?:\/[^/]+){2}$/,
  },
};
const ELB_ARN = /^arn:aws[\w-]*:elasticloadbalancing:[a-z0-9-]+:\d{12}:/;

function found<T>(all: ReadonlyMap<string, T>, arn: string, kind: keyof typeof KINDS): T {
  const value = all.get(arn);
  if (value !== undefined) return value;
  const { noun, code, shape } = KINDS[kind];
  if (ELB_ARN.test(arn) && shape.test(arn))
    throw new AwsError(code, `One or more ${noun.replace('listener rule', 'rule')}s not found`);
  throw new AwsError('ValidationError', `'${arn.slice(0, 200)}' is not a valid ${noun} ARN`);
}
