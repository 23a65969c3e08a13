import { AwsError } from '../aws-error';

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
}

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

/** What a group's targets are spoken to in; GRPC is refused when a template is read. */
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

  listenersOf(loadBalancerArn: string): Listener[] {
    return [...this.listeners.values()].filter((listener) => listener.loadBalancerArn === loadBalancerArn);
  }

  /** In the order of evaluation: by priority, the default last. */
  rulesOf(listenerArn: string): Rule[] {
    const order = (rule: Rule) => (rule.priority === 'default' ? Infinity : rule.priority);
    return [...this.rules.values()]
      .filter((rule) => rule.listenerArn === listenerArn)
      .sort((a, b) => order(a) - order(b));
  }

  /** A group is in use when a rule names it; one that no rule names has targets in state `unused`. */
  isInUse(targetGroupArn: string): boolean {
    return [...this.rules.values()].some((rule) => groupsOf(rule).some((group) => group.arn === targetGroupArn));
  }

  loadBalancersOf(targetGroupArn: string): string[] {
    const arns = [...this.rules.values()]
      .filter((rule) => groupsOf(rule).some((group) => group.arn === targetGroupArn))
      .map((rule) => this.listeners.get(rule.listenerArn)?.loadBalancerArn ?? '');
    return [...new Set(arns)];
  }

  /** @throws AwsError as the API does for an ARN that it does not know. */
  rule(arn: string): Rule {
    return found(this.rules.get(arn), 'RuleNotFound', `One or more rules not found`);
  }

  listener(arn: string): Listener {
    return found(this.listeners.get(arn), 'ListenerNotFound', `One or more listeners not found`);
  }

  targetGroup(arn: string): TargetGroup {
    return found(this.targetGroups.get(arn), 'TargetGroupNotFound', `One or more target groups not found`);
  }

  loadBalancer(arn: string): LoadBalancer {
    return found(this.loadBalancers.get(arn), 'LoadBalancerNotFound', `One or more load balancers not found`);
  }
}

export function groupsOf(rule: Rule): readonly WeightedGroup[] {
  return rule.actions.flatMap((action) => (action.type === 'forward' ? action.forward.targetGroups : []));
}

function found<T>(value: T | undefined, code: string, message: string): T {
  if (value === undefined) throw new AwsError(code, message);
  return value;
}
