import { CfnElement, CustomResource, Duration, Lazy, Resource, Stack } from 'aws-cdk-lib';
import { IApplicationListener } from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import { IBucket } from 'aws-cdk-lib/aws-s3';
import { Construct, Dependable, DependencyGroup, IConstruct } from 'constructs';
import { rejectTwice, WEIGHTED_RULE_TYPE } from '../validation/only-once';
import { checkNames } from '../validation/known-props';
import { checkDuration, checkInteger, checkWeights, reject, isLater } from '../validation/validation';
import { StickyTargetGroup } from './sticky-target-group';
import { TrafficWeights } from '../traffic/traffic-weights';
import { SERVICE_TIMEOUT, WeightedRuleProvider } from './weighted-rule-provider';

export interface WeightedRuleProps {
  /** Where the rule stands. */
  readonly listener: IApplicationListener;

  /** The proxies before the backend that serves today. */
  readonly sourceGroup: StickyTargetGroup;

  /** The proxies before the backend that will serve. */
  readonly targetGroup: StickyTargetGroup;

  /** The weights with which the rule is created; a later change of them changes nothing. */
  readonly initialWeights: TrafficWeights;

  /** How long a client keeps its side once it was drawn: from 1 second to 7 days. */
  readonly sideStickiness: Duration;

  /** The bucket with the lock of the cutover: while it is held, a change of the rule is rejected. */
  readonly store: IBucket;

  /**
   * The place of the rule among those of its listener: from 1 to 50000, the lowest first.
   * @default 1000
   */
  readonly priority?: number;

  /**
   * The paths that are shared out by weight, with `*` and `?` as wildcards.
   * @default - all: `/*`
   */
  readonly pathPatterns?: string[];

  /**
   * The host names that are shared out by weight, with `*` and `?` as wildcards.
   * @default - all
   */
  readonly hostHeaders?: string[];
}

/** A rule takes no more values of conditions than this. */
const MAX_VALUES = 5;
const MAX_VALUE = 128;

/**
 * A rule that shares the traffic of a listener between source and target, and whose weights belong to the operator of
 * it: they are written once, at creation. A deployment that changes anything else of the rule keeps the weights that are
 * in force at that moment, and is rejected while a cutover holds the lock.
 *
 * @example
 * new WeightedRule(this, 'WeightedRule', {
 *   listener: loadBalancer.listener,
 *   sourceGroup,
 *   targetGroup: new StickyTargetGroup(this, 'Target', { vpc }),
 *   initialWeights: { source: 100, target: 0 },
 *   sideStickiness: Duration.hours(1),
 *   store: loadBalancer.store,
 *   pathPatterns: ['/shop/*'],
 * });
 */
export class WeightedRule extends Construct {
  /** The ARN of the rule; known only at deployment. */
  public readonly listenerRuleArn: string;

  public readonly listener: IApplicationListener;
  public readonly sourceGroup: StickyTargetGroup;
  public readonly targetGroup: StickyTargetGroup;
  public readonly initialWeights: TrafficWeights;

  /**
   * The hosts that it is about; empty for all.
   * @internal
   */
  public readonly _hostHeaders: readonly string[];

  private readonly store: IBucket;
  private readonly resource: CustomResource;
  private isAfterServices = false;
  private isJoining = false;

  constructor(scope: Construct, id: string, props: WeightedRuleProps) {
    super(scope, id);
    checkNames('WeightedRuleProps', props);
    checkProps(props);
    rejectTwice(this);
    this.store = props.store;
    this.listener = props.listener;
    this.sourceGroup = props.sourceGroup;
    this.targetGroup = props.targetGroup;
    this.initialWeights = props.initialWeights;
    this._hostHeaders = props.hostHeaders ?? [];

    const provider = WeightedRuleProvider.of(this);
    provider.allow(props.listener, props.store);
    this.resource = new CustomResource(this, 'Resource', {
      resourceType: WEIGHTED_RULE_TYPE,
      serviceToken: provider.serviceToken,
      serviceTimeout: SERVICE_TIMEOUT,
      properties: {
        ...listProperties(props),
        RequiresTargets: Lazy.any({ produce: () => (this.joinsLiveTraffic() ? true : undefined) }),
      },
    });
    // Its rights and its log come before the rule, and go after it.
    this.resource.node.addDependency(provider);
    this.listenerRuleArn = this.resource.ref;
    for (const group of [props.sourceGroup, props.targetGroup]) this.attach(group);
  }

  /**
   * Makes the rule after these services, once they are stable, and deletes it before them: on a listener that has traffic
   * already, a rule without healthy proxies behind it responds with 503.
   *
   * @internal
   */
  public _createAfter(...services: IConstruct[]): void {
    const groupGuard = this.guardGroups();
    for (const service of services) {
      const { stackName } = Stack.of(service);
      if (stackName === Stack.of(this).stackName) {
        service.node.addDependency(groupGuard);
        this.resource.node.addDependency(service);
        this.isAfterServices = true;
      } else if (this.isOnLiveListener) {
        // Stacks that depend on each other in both ways cannot be deployed.
        reject(
          'loadBalancer',
          'in the stack of its proxies where the listener is an existing one',
          `proxies in ${stackName}`,
        );
      }
    }
  }

  /**
   * Says that the listener was there before the migration, in this stack or anywhere, and may serve requests.
   *
   * @internal
   */
  public _joinListener(): void {
    this.isJoining = true;
  }

  /**
   * Whether the listener may serve requests without the rule.
   *
   * @internal
   */
  public get _joinsListener(): boolean {
    return this.isOnLiveListener;
  }

  /**
   * Makes the rule only when this resource has been made.
   *
   * @internal
   */
  public _createAfterProof(proof: IConstruct): void {
    if (Stack.of(proof) !== Stack.of(this)) {
      reject(
        'loadBalancer',
        'in the stack of its cutover where the listener is an existing one',
        `one in ${Stack.of(this).stackName}`,
      );
    }
    this.resource.node.addDependency(proof);
  }

  /**
   * For a guard that is asked of the deletion of the rule before the rule is.
   *
   * @internal
   */
  public get _withLock(): Record<string, string> {
    return {
      ListenerArn: this.listener.listenerArn,
      RuleName: (this.resource.node.defaultChild as CfnElement).logicalId,
      SourceGroupArn: this.sourceGroup.targetGroup.targetGroupArn,
      TargetGroupArn: this.targetGroup.targetGroup.targetGroupArn,
      StoreBucket: this.store.bucketName,
    };
  }

  /** Asked before the services are updated: they would leave a group that serves before the rule does. */
  private guardGroups(): Construct {
    const present = this.node.tryFindChild('Groups');
    if (present instanceof CustomResource) return present;
    const provider = WeightedRuleProvider.of(this);
    const guard = new CustomResource(this, 'Groups', {
      resourceType: 'Custom::DrainshiftGroupGuard',
      serviceToken: provider.serviceToken,
      serviceTimeout: SERVICE_TIMEOUT,
      properties: this._withLock,
    });
    guard.node.addDependency(provider);
    return guard;
  }

  /** A service may only start once a listener leads to its target group, and a listener may reach its targets. */
  private attach({ targetGroup }: StickyTargetGroup): void {
    const attached = targetGroup.loadBalancerAttached as DependencyGroup;
    if (Dependable.of(attached).dependencyRoots.length === 0) {
      targetGroup.registerListener(this.listener, this.resource);
      return;
    }
    // A group belongs to one load balancer, and that listener has let in the security groups of it: an import of them that
    // this listener has of its own would make each rule twice, which EC2 rejects. Services that wait for another listener
    // need not wait for the rule, and the rule can wait for them.
    attached.add(this.listener);
  }

  private joinsLiveTraffic(): boolean {
    return this.isAfterServices && this.isOnLiveListener;
  }

  private get isOnLiveListener(): boolean {
    return this.isJoining || !Resource.isOwnedResource(this.listener);
  }
}

/** What the function reads; CloudFormation hands every number over as text. */
function listProperties(props: WeightedRuleProps): Record<string, unknown> {
  return {
    ListenerArn: props.listener.listenerArn,
    Priority: props.priority ?? 1000,
    PathPatterns: props.pathPatterns ?? ['/*'],
    HostHeaders: props.hostHeaders,
    SourceGroupArn: props.sourceGroup.targetGroup.targetGroupArn,
    TargetGroupArn: props.targetGroup.targetGroup.targetGroupArn,
    InitialWeights: { Source: props.initialWeights.source, Target: props.initialWeights.target },
    StickinessSeconds: props.sideStickiness.toSeconds(),
    StoreBucket: props.store.bucketName,
  };
}

function checkProps(props: WeightedRuleProps): void {
  props.sourceGroup._checkWeightable('sourceGroup');
  props.targetGroup._checkWeightable('targetGroup');
  checkWeights('initialWeights', props.initialWeights);
  checkDuration('sideStickiness', props.sideStickiness, { min: Duration.seconds(1), max: Duration.days(7) });
  const { priority = 1000, pathPatterns = ['/*'], hostHeaders } = props;
  checkInteger('priority', priority, { min: 1, max: 50_000 });
  checkValues('pathPatterns', pathPatterns);
  if (hostHeaders) checkValues('hostHeaders', hostHeaders);
  const values = pathPatterns.length + (hostHeaders?.length ?? 0);
  if (values > MAX_VALUES) reject('pathPatterns and hostHeaders', `at most ${MAX_VALUES} values together`, values);
  if (props.sourceGroup === props.targetGroup) {
    reject('targetGroup', 'another one than the sourceGroup', props.targetGroup.node.path);
  }
}

function checkValues(name: string, values: readonly string[]): void {
  if (values.length === 0) reject(name, 'a list of at least one value', '[]');
  for (const value of values) {
    if (!isLater(value) && (value.length < 1 || value.length > MAX_VALUE)) {
      reject(name, `values of 1 to ${MAX_VALUE} characters`, `'${value}'`);
    }
  }
}
