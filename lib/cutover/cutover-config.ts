import {
  DefaultTokenResolver,
  IPostProcessor,
  IResolvable,
  IResolveContext,
  Names,
  Reference,
  Stack,
  Tokenization,
} from 'aws-cdk-lib';
import { Alarm, CfnAlarm, IAlarm } from 'aws-cdk-lib/aws-cloudwatch';
import { IEventBus } from 'aws-cdk-lib/aws-events';
import { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import { ITopic } from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import type { AlarmNames, CheckedAlarms } from '../../core/judge/alarm-check';
import { CutoverConfig } from '../../core/cutover/cutover-config';
import { findAlarmName } from '../shared/alarm-name';
import { StepResources } from './cutover-rights';
import { CutoverPlan } from '../plan/cutover-plan';
import { MigrationLoadBalancer } from '../load-balancer/migration-load-balancer';
import { ADMIN_PORT } from '../shared/ports';
import { ProxyService } from '../proxy/proxy-service';
import { SmokeRoute } from './smoke-route';

/** Of a cutover's props, what its steps act on. */
export interface ConfigParts {
  readonly loadBalancer: MigrationLoadBalancer;
  readonly source: ProxyService;
  readonly target: ProxyService;
  readonly adminSecret: ISecret;
  readonly domainName: string;
  readonly trustedAuthorities?: ISecret;
  readonly smokeRoute?: SmokeRoute;
  readonly alarms?: readonly IAlarm[];
  readonly sourceAlarms?: readonly IAlarm[];
  readonly notificationTopic?: ITopic;
  readonly plan?: CutoverPlan;
}

/** What the steps act on, as they read it. */
export function resolveConfig(scope: Construct, props: ConfigParts, eventBus: IEventBus): CutoverConfig {
  const { loadBalancer, source, target } = props;
  return {
    loadBalancerArn: loadBalancer.loadBalancer.loadBalancerArn,
    weightedRuleArn: loadBalancer.weightedRule.listenerRuleArn,
    weightedListenerArn: loadBalancer.listener.listenerArn,
    smokeListenerArns: {
      source: loadBalancer.sourceListener.listenerArn,
      target: loadBalancer.targetListener.listenerArn,
    },
    targetGroupArns: {
      source: loadBalancer.sourceGroup.targetGroup.targetGroupArn,
      target: loadBalancer.targetGroup.targetGroup.targetGroupArn,
    },
    clusterArn: source.cluster.clusterArn,
    serviceNames: { source: source.service.serviceName, target: target.service.serviceName },
    adminPort: ADMIN_PORT,
    adminSecretArn: props.adminSecret.secretArn,
    storeBucket: loadBalancer.store.bucketName,
    domainName: props.domainName,
    ...(loadBalancer.hasSelfSignedCertificate && { isSelfSigned: true }),
    ...(props.trustedAuthorities && { trustedAuthoritiesArn: props.trustedAuthorities.secretArn }),
    ...(props.smokeRoute === SmokeRoute.TARGETS && { smokeRoute: SmokeRoute.TARGETS }),
    ...(props.notificationTopic && { notificationTopicArn: props.notificationTopic.topicArn }),
    eventBusName: eventBus.eventBusName,
    cutoverName: cutoverName(scope),
    stackName: Stack.of(scope).stackName,
  };
}

/** What the state machine makes its executions check. An alarm of both lists is about the source alone. */
export function checkedBy({ alarms = [], sourceAlarms = [] }: ConfigParts): CheckedAlarms {
  const all = distinct([...sourceAlarms, ...alarms]);
  const isSource = (alarm: IAlarm) => sourceAlarms.includes(alarm);
  const listNames = (some: readonly IAlarm[]): AlarmNames => {
    const { metric, other } = sorted(some);
    return { metric: metric.map(findAlarmName), other: other.map(findAlarmName) };
  };
  return { source: listNames(all.filter(isSource)), target: listNames(all.filter((alarm) => !isSource(alarm))) };
}

/** Without those that are another construct of one before: an alarm may be imported more than once. */
function distinct(alarms: readonly IAlarm[]): IAlarm[] {
  const known = new Set<string>();
  return alarms.filter((alarm) => {
    const identities = identify(alarm);
    const isKnown = identities.some((identity) => known.has(identity));
    for (const identity of identities) known.add(identity);
    return !isKnown;
  });
}

/** By name, by ARN, and by the name that it is given: `checkProps` has seen that it is of the region and account of the stack. */
function identify(alarm: IAlarm): string[] {
  const given = (alarm.node.defaultChild as Partial<CfnAlarm> | undefined)?.alarmName;
  const names = [alarm.alarmName, alarm.alarmArn, given].map(
    (name) => Tokenization.resolve(name, { scope: alarm, resolver: PATHS }) as unknown,
  );
  // Without a name of its own it is given a token of nothing.
  return names.filter((name) => name !== undefined).map((name) => JSON.stringify(name));
}

/** Says what a reference is of: logical ids repeat from stack to stack. */
class PathResolver extends DefaultTokenResolver {
  public override resolveToken(token: IResolvable, context: IResolveContext, processor: IPostProcessor): unknown {
    if (Reference.isReference(token)) return `${token.target.node.path} ${token.displayName}`;
    return super.resolveToken(token, context, processor);
  }
}

const PATHS = new PathResolver({ join: (left: unknown, right: unknown) => [left, right] });

/** More ARNs of the longest names would not fit into a policy beside the other rights. */
const MAX_NAMED_ALARMS = 15;

function listServices({ source, target }: ConfigParts): string[] {
  return [source, target].map(({ service }) => service.serviceArn);
}

/** What the steps' rights are about. */
export function listResources(scope: Construct, props: ConfigParts, eventBus: IEventBus): StepResources {
  const { cluster } = props.source;
  const { metric, other } = sorted(distinct([...(props.alarms ?? []), ...(props.sourceAlarms ?? [])]));
  return {
    weightedRuleArn: props.loadBalancer.weightedRule.listenerRuleArn,
    clusterArn: cluster.clusterArn,
    taskArns: Stack.of(scope).formatArn({ service: 'ecs', resource: 'task', resourceName: `${cluster.clusterName}/*` }),
    serviceArns: props.plan?._switches ? listServices(props) : [],
    scaledOutArns: props.plan?._scalesOut ? listServices(props) : [],
    scalableTargetArns: Stack.of(scope).formatArn({
      service: 'application-autoscaling',
      resource: 'scalable-target',
      resourceName: '*',
    }),
    hookFunctionArns: props.plan?._hookFunctionArns ?? { switch: [], phases: [] },
    hosts: findHosts(props),
    storeArn: props.loadBalancer.store.bucketArn,
    metricAlarmArns: metric.map(({ alarmArn }) => alarmArn),
    readsAnyAlarm: other.length > 0 || metric.length > MAX_NAMED_ALARMS,
    eventBusArn: eventBus.eventBusArn,
    smokesTargets: props.smokeRoute === SmokeRoute.TARGETS,
  };
}

function findHosts({ plan }: ConfigParts): StepResources['hosts'] {
  const hosts = plan?._hosts;
  return hosts && { documentArn: hosts.documentArn, instanceArns: hosts._instanceArns };
}

/** Sets the metrics of one cutover apart from those of others in the account. */
export function cutoverName(scope: Construct): string {
  return Names.uniqueResourceName(scope, { maxLength: 100, separator: '-' });
}

/** The type of an imported alarm is unknown: it may be a composite one, which is read with other rights. */
function sorted(alarms: readonly IAlarm[]): { readonly metric: readonly IAlarm[]; readonly other: readonly IAlarm[] } {
  return {
    metric: alarms.filter((alarm) => alarm instanceof Alarm),
    other: alarms.filter((alarm) => !(alarm instanceof Alarm)),
  };
}
