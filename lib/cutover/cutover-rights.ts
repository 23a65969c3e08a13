import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { Step } from '../../core/cutover/cutover-config';
import { DECISION_PREFIX, REGIME_KEY } from '../../core/switch/decision';
import { MARK_TAGS, RuleMark } from '../../core/cutover/verified-mark';

/** What one step may do; everything else is denied. */
export interface StepRights {
  /** Reads of the load balancer; none of these actions knows resources. */
  readonly read: readonly ('LoadBalancers' | 'Listeners' | 'Rules' | 'TargetGroups' | 'TargetHealth' | 'Tags')[];
  /** Whether it may change the weighted rule. */
  readonly modifyRule: boolean;
  /** The tags that it may write at the weighted rule, and no others. */
  readonly marks: readonly RuleMark[];
  /** Whether it may find the proxies and call their admin API. */
  readonly callProxies: boolean;
  /** Of the services of both sides: whether it looks at deployments, whether it suspends and resumes their autoscaling. */
  readonly services: readonly ('deployments' | 'suspend' | 'resume')[];
  /** Whether it may raise the desired count of the services of both sides, where the plan says so. */
  readonly scaleOut: boolean;
  /** Which functions of the plan it calls: that of a switch's hook, those of the hooks of phases. */
  readonly callHooks: readonly ('switch' | 'phases')[];
  /** Whether it makes smoke requests, and reads whom they trust. */
  readonly smoke: boolean;
  /** Whether it may read the alarms that the cutover checks. */
  readonly readAlarms: boolean;
  /** Whether it may notify operators and other systems. */
  readonly notify: boolean;
  /** Objects of the store, by action. */
  readonly store: Partial<Record<'GetObject' | 'PutObject' | 'DeleteObject', readonly StoreKey[]>>;
}

type StoreKey =
  | ('lock.json' | 'abort/*' | 'approval/*' | 'evidence/*' | 'looks/*' | 'notified/*')
  | ('replays/*.json' | 'replays/*.order.json')
  | (typeof REGIME_KEY | `${typeof DECISION_PREFIX}*`);

const NONE = {
  ...{ read: [], modifyRule: false, marks: [], callProxies: false, services: [], smoke: false },
  scaleOut: false,
  ...{ readAlarms: false, notify: false, callHooks: [], store: {} },
} as const;
const LOOK_FOR_ABORT: StoreKey[] = ['abort/*'];
const LOCK: StoreKey[] = ['lock.json'];
const SAVE = { GetObject: LOCK, PutObject: LOCK };
const GUARD = { GetObject: [...LOCK, ...LOOK_FOR_ABORT] };
/** What the judge was given at each poll. */
const LOOKS: StoreKey[] = ['looks/*'];
const WATCH = { ...GUARD, PutObject: LOOKS };
const SAVE_WATCHED = { ...GUARD, PutObject: [...LOCK, ...LOOKS] };
/** What making a switch takes, in either direction. */
const SWITCH: StoreKey[] = [REGIME_KEY, `${DECISION_PREFIX}*`];
/** What the replays that a plan names say, and what they are ordered to do. */
const REPLAYS: StoreKey[] = ['replays/*.json'];
const REPLAY_ORDERS: StoreKey[] = ['replays/*.order.json'];
const ALL_SERVICES: StepRights['services'] = ['deployments', 'suspend', 'resume'];
const PREFLIGHT: StepRights['store'] = {
  GetObject: [...LOCK, ...LOOK_FOR_ABORT, ...SWITCH, ...REPLAYS],
  PutObject: [...LOCK, ...SWITCH],
};
const RECORD = {
  GetObject: ['lock.json', 'evidence/*', ...LOOKS] as StoreKey[],
  PutObject: ['evidence/*'] as StoreKey[],
  DeleteObject: LOCK,
} satisfies StepRights['store'];
const ALL_HOOKS: StepRights['callHooks'] = ['switch', 'phases'];

const ALL_READS: StepRights['read'] = ['LoadBalancers', 'Listeners', 'Rules', 'TargetGroups', 'TargetHealth'];
/** Of them, what smoke requests through the listeners take alone. */
export const SMOKE_LISTENER_READS: StepRights['read'] = ['LoadBalancers', 'Listeners'];
/** What judging both sides takes. */
const JUDGE = { ...NONE, read: ALL_READS, callProxies: true, smoke: true, readAlarms: true } as const;

/** The one table of who may do what. */
export const STEP_RIGHTS: Record<Step, StepRights> = {
  lock: { ...NONE, notify: true, store: { ...SAVE, GetObject: [...LOCK, 'evidence/*'] } },
  preflight: { ...JUDGE, services: ['deployments'], callHooks: ALL_HOOKS, store: PREFLIGHT },
  approve: {
    ...{ ...JUDGE, notify: true },
    store: { GetObject: [...LOCK, ...LOOK_FOR_ABORT, 'approval/*'], PutObject: LOOKS },
  },
  hook: { ...JUDGE, callHooks: ['phases'], store: { ...WATCH, GetObject: [...GUARD.GetObject, REGIME_KEY] } },
  shift: {
    ...{ ...JUDGE, modifyRule: true },
    store: { ...SAVE_WATCHED, GetObject: [...SAVE_WATCHED.GetObject, ...REPLAYS] },
  },
  switch: {
    ...{
      ...JUDGE,
      smoke: false,
      readAlarms: false,
      services: ALL_SERVICES,
      modifyRule: true,
      notify: true,
      callHooks: ['switch'],
    },
    store: {
      GetObject: [...LOCK, ...LOOK_FOR_ABORT, ...SWITCH, ...REPLAYS],
      PutObject: [...LOCK, ...SWITCH, ...REPLAY_ORDERS],
    },
  },
  confirm: { ...JUDGE, notify: true, store: WATCH },
  // Both may take a side that kept its clients out of the rule.
  bake: { ...JUDGE, modifyRule: true, store: WATCH },
  drain: { ...JUDGE, modifyRule: true, store: SAVE_WATCHED },
  verify: { ...JUDGE, marks: ['verified'], store: SAVE_WATCHED },
  complete: {
    ...{ ...NONE, services: ['resume'], callProxies: true, notify: true, callHooks: ['phases'] },
    store: { ...RECORD, GetObject: [...RECORD.GetObject, REGIME_KEY] },
  },
  rollback: {
    ...{
      ...JUDGE,
      services: ALL_SERVICES,
      scaleOut: true,
      modifyRule: true,
      marks: ['rollingBack'],
      notify: true,
      callHooks: ALL_HOOKS,
    },
    store: {
      GetObject: [...LOCK, ...SWITCH, ...REPLAYS],
      PutObject: [...LOCK, ...SWITCH, ...REPLAY_ORDERS],
    },
  },
  record: { ...NONE, services: ['resume'], notify: true, store: RECORD },
  undrain: { ...NONE, read: ALL_READS, callProxies: true, smoke: true },
  holdDryRun: { ...NONE, callProxies: true, store: { GetObject: [REGIME_KEY] } },
  // A preflight that writes nothing.
  doctor: {
    ...{ ...JUDGE, services: ['deployments'], callHooks: ALL_HOOKS },
    store: { GetObject: [...LOCK, 'evidence/*', REGIME_KEY, ...REPLAYS] },
  },
  recover: {
    ...{
      ...JUDGE,
      read: [...ALL_READS, 'Tags'],
      services: ALL_SERVICES,
      modifyRule: true,
      marks: ['rollingBack'],
      notify: true,
      callHooks: ALL_HOOKS,
    },
    store: {
      ...RECORD,
      GetObject: ['lock.json', 'evidence/*', 'notified/*', ...LOOKS, ...SWITCH, ...REPLAYS],
      PutObject: ['lock.json', 'evidence/*', 'notified/*', ...SWITCH, ...REPLAY_ORDERS],
    },
  },
};

/** The ARNs that the rights are about. */
export interface StepResources {
  readonly weightedRuleArn: string;
  readonly clusterArn: string;
  /** The tasks of the cluster, `…:task/name/*`. */
  readonly taskArns: string;
  /** The services of both sides, where the plan switches. */
  readonly serviceArns: readonly string[];
  /** Those whose desired count a rollback may raise: of both sides, where the plan says so. */
  readonly scaledOutArns: readonly string[];
  /** Application Auto Scaling draws the rest of each: `…:scalable-target/*`. */
  readonly scalableTargetArns: string;
  /** Of the plan's hooks, where they are functions. */
  readonly hookFunctionArns: Readonly<Record<'switch' | 'phases', readonly string[]>>;
  /** Of a plan whose switch takes the memory of the application along. */
  readonly hosts?: { readonly documentArn: string; readonly instanceArns: readonly string[] } | undefined;
  readonly storeArn: string;
  /** Of those that are metric alarms for sure. */
  readonly metricAlarmArns: readonly string[];
  /** Whether there are alarms that may be composite ones, or more than a policy can name. */
  readonly readsAnyAlarm: boolean;
  readonly eventBusArn: string;
  /** Whether smoke requests go to the targets themselves, past the load balancer's name and listeners. */
  readonly smokesTargets: boolean;
}

/** What became of a command is read by its id alone: the action knows no resources. */
function hostStatements({ callHooks }: StepRights, { hosts }: StepResources): PolicyStatement[] {
  if (!hosts || !callHooks.includes('switch')) return [];
  const { documentArn, instanceArns } = hosts;
  return [
    new PolicyStatement({ actions: ['ssm:SendCommand'], resources: [documentArn, ...instanceArns] }),
    new PolicyStatement({ actions: ['ssm:GetCommandInvocation'], resources: ['*'] }),
  ];
}

export function statementsFor(rights: StepRights, resources: StepResources): PolicyStatement[] {
  const allow = (actions: string[], on: string[], conditions?: Record<string, unknown>) =>
    new PolicyStatement({ actions, resources: on, conditions });
  const statements: PolicyStatement[] = [];
  const reads = rights.read.filter((what) => !resources.smokesTargets || !SMOKE_LISTENER_READS.includes(what));
  if (reads.length > 0) {
    statements.push(
      allow(
        reads.map((what) => `elasticloadbalancing:Describe${what}`),
        ['*'],
      ),
    );
  }
  if (rights.modifyRule) statements.push(allow(['elasticloadbalancing:ModifyRule'], [resources.weightedRuleArn]));
  if (rights.marks.length > 0) {
    // The rule's owner trusts its other tags. ForAllValues holds of no tag at all, too.
    const keys = rights.marks.map((mark) => MARK_TAGS[mark]);
    const marksAlone = { 'ForAllValues:StringEquals': { 'aws:TagKeys': keys }, Null: { 'aws:TagKeys': 'false' } };
    statements.push(allow(['elasticloadbalancing:AddTags'], [resources.weightedRuleArn], marksAlone));
  }
  if (rights.callProxies) {
    const inCluster = { ArnEquals: { 'ecs:cluster': resources.clusterArn } };
    statements.push(allow(['ecs:ListTasks'], ['*'], inCluster), allow(['ecs:DescribeTasks'], [resources.taskArns]));
  }
  statements.push(...servicesStatements(rights.services, resources));
  if (rights.scaleOut && resources.scaledOutArns.length > 0) {
    statements.push(allow(['ecs:DescribeServices', 'ecs:UpdateService'], [...resources.scaledOutArns]));
  }
  if (rights.readAlarms && resources.readsAnyAlarm) {
    // CloudWatch describes a composite alarm only to roles that may read all alarms.
    statements.push(allow(['cloudwatch:DescribeAlarms'], ['*']));
  } else if (rights.readAlarms && resources.metricAlarmArns.length > 0) {
    statements.push(allow(['cloudwatch:DescribeAlarms'], [...resources.metricAlarmArns]));
  }
  const functions = new Set(rights.callHooks.flatMap((of) => resources.hookFunctionArns[of]));
  if (functions.size > 0) statements.push(allow(['lambda:InvokeFunction'], [...functions]));
  statements.push(...hostStatements(rights, resources));
  if (rights.notify) statements.push(allow(['events:PutEvents'], [resources.eventBusArn]));
  for (const [action, keys] of Object.entries(rights.store)) {
    statements.push(
      allow(
        [`s3:${action}`],
        keys.map((key) => `${resources.storeArn}/${key}`),
      ),
    );
  }
  // Without it a missing object reads as forbidden instead of missing.
  if (rights.store.GetObject) statements.push(allow(['s3:ListBucket'], [resources.storeArn]));
  return statements;
}

/** The scaling of ECS services, and nothing else that Application Auto Scaling knows. */
function servicesStatements(rights: StepRights['services'], resources: StepResources): PolicyStatement[] {
  const ofServices = {
    StringEquals: {
      'application-autoscaling:service-namespace': 'ecs',
      'application-autoscaling:scalable-dimension': 'ecs:service:DesiredCount',
    },
  };
  const allow = (action: string, on: readonly string[], conditions?: Record<string, unknown>) =>
    new PolicyStatement({ actions: [action], resources: [...on], conditions });
  const { serviceArns, scalableTargetArns } = resources;
  if (serviceArns.length === 0) return [];
  return [
    ...(rights.includes('deployments') ? [allow('ecs:DescribeServices', serviceArns)] : []),
    ...(rights.includes('suspend') ? [allow('application-autoscaling:DescribeScalableTargets', ['*'])] : []),
    ...(rights.includes('resume')
      ? [allow('application-autoscaling:RegisterScalableTarget', [scalableTargetArns], ofServices)]
      : []),
  ];
}
