import { PART_SUFFIX } from '../../core/capture/part-name';
import type { Side } from '../../core/traffic/weights';
import type { EndpointFault, FaultOptions, FaultScope } from '../aws/endpoint/faults';
import type { FunctionFault } from '../functions/function';
import type { LocalCloud } from '../cloud/local-cloud';
import { OPERATOR_KEY_ID } from '../cloud/operator-key';
import type { Degraded, FaultySide, HookFault } from '../backend/faulty-side';
import type { Propagation } from '../load-balancer/model/model';
import { sendSignal } from '../processes/signal';
import type { ExecutionDescription } from '../state-machine/model';
import { watchedAlarms } from '../template/model/outputs';
import { PHASES, type Phase } from './phases';
import type { FaultName } from './table';
import { callElb, findFunctionArn, findServiceArn, listProxies, requestAbort, type Breakables } from './breakables';

interface Occasion {
  readonly phase: Phase;
  readonly execution: ExecutionDescription;
}

/** What happens at the phase. What it returns ends it again. */
type Act = (parts: Breakables, occasion: Occasion) => void | (() => void);

const KILLED_AGAIN_MS = 300;
const REDRIVEN_AFTER_MS = 1_000;
const SLOW_MS = 1_000;
/** Less than a proxy allows. */
const MOVE_MS = 3_000;
const LATE_MS = 3_000;
/** An observer still sees. */
const SPARED = { spares: [OPERATOR_KEY_ID] };
const AWAY: EndpointFault = { kind: 'status', status: 503 };
const HANGS: EndpointFault = { kind: 'hang' };

const all =
  (...acts: readonly Act[]): Act =>
  (parts, occasion) => {
    const ends = acts.map((act) => act(parts, occasion));
    return () => ends.forEach((end) => end?.());
  };

function onSide(side: Side, act: (faulty: FaultySide) => void): Act {
  return ({ sides }) => {
    const faulty = sides[side];
    if (!faulty) throw new Error(`the backend of the ${side} must be one that can be broken, got none`);
    act(faulty);
  };
}
const kill = (side: Side) => onSide(side, (faulty) => faulty.kill());
const freeze = (side: Side) => onSide(side, (faulty) => faulty.freeze());
const degrade = (side: Side, how: Degraded) => onSide(side, (faulty) => faulty.degrade(how));
const slow = { delayMs: SLOW_MS };
const breakHooks = (hook: HookFault) => all(degrade('source', { hook }), degrade('target', { hook }));
/** In the middle of what takes so long. */
const inMoves =
  (act: Act): Act =>
  (parts, occasion) => {
    degrade('target', { resumption: MOVE_MS })(parts, occasion);
    // The drain is ordered before, and no move ends before.
    const timer = setTimeout(() => void act(parts, occasion), MOVE_MS / 2);
    return () => clearTimeout(timer);
  };
const errors = (percent: number): Degraded => ({ errorShare: percent / 100 });

const signalProxies =
  (side: Side, signal: NodeJS.Signals, count = Infinity): Act =>
  ({ cloud }) => {
    for (const { pid } of listProxies(cloud, side).slice(0, count)) sendSignal(pid, signal);
  };

const crashLoop: Act = (parts, occasion) => {
  const again = () => void signalProxies('target', 'SIGKILL')(parts, occasion);
  again();
  const timer = setInterval(again, KILLED_AGAIN_MS);
  return () => clearInterval(timer);
};

/** The one that is scaled in hangs. What ends it does what ECS does when stopTimeout has passed. */
const hangInScaleIn: Act = ({ cloud }) => {
  const pid = listProxies(cloud, 'source')[1]?.pid;
  cloud.tasks.setDesiredCount(findServiceArn(cloud, 'source'), 1);
  sendSignal(pid, 'SIGSTOP');
  return () => sendSignal(pid, 'SIGKILL');
};

const scaleIn =
  (side: Side): Act =>
  ({ cloud }) =>
    cloud.tasks.setDesiredCount(findServiceArn(cloud, side), 0);

const breakFunction =
  (fault: FunctionFault): Act =>
  ({ cloud }, { phase }) =>
    cloud.functions.breakCall(findFunctionArn(cloud, PHASES[phase].state), fault);

const SHIFT_CALL: FaultScope = { service: 'elasticloadbalancing', action: 'ModifyRule' };
const LOCK_CALL: FaultScope = { service: 's3', action: 'PutObject', pathEndsWith: '/lock.json' };
const EVIDENCE_CALL: FaultScope = { service: 's3', action: 'PutObject', pathIncludes: '/evidence/' };
/** The call that is the effect of a step. */
const EFFECTS: Partial<Readonly<Record<Phase, FaultScope>>> = {
  ...{ lock: LOCK_CALL, shift: SHIFT_CALL, 'last-shift': SHIFT_CALL, rollback: SHIFT_CALL },
  ...{ drain: LOCK_CALL, verify: LOCK_CALL, complete: EVIDENCE_CALL, record: EVIDENCE_CALL },
};

const dieInCall: Act = ({ cloud }, { phase }) => {
  const scope = EFFECTS[phase];
  if (!scope) throw new Error(`the phase must have a call that is its effect, got '${phase}'`);
  const arn = findFunctionArn(cloud, PHASES[phase].state);
  const until = () => {
    sendSignal(cloud.functions.findPid(arn), 'SIGKILL');
    return Promise.resolve();
  };
  return cloud.faults.set({ ...scope, ...SPARED }, { kind: 'wait', until }, { times: 1, afterActing: true });
};

const calls =
  (scope: FaultScope, fault: EndpointFault, options?: FaultOptions): Act =>
  ({ cloud }) =>
    cloud.faults.set({ ...scope, ...SPARED }, fault, options);

/** What the source records, and not what the cutover writes. */
const RECORDS: FaultScope = { service: 's3', action: 'PutObject', pathEndsWith: PART_SUFFIX };

const propagate =
  (propagation: Propagation): Act =>
  ({ cloud }) => {
    const { elb } = cloud.model;
    elb.propagation = propagation;
    const isSet = cloud.faults.set(
      { ...SHIFT_CALL, ...SPARED },
      // Of one shift: what is written after it comes into force.
      { kind: 'wait', until: () => Promise.resolve(void (elb.propagation = undefined)) },
      { times: 1, afterActing: true },
    );
    return () => {
      isSet();
      elb.propagation = undefined;
    };
  };

function report(call: Promise<void>): void {
  call.catch((error: Error) => process.emitWarning(`the fault did not begin: ${error.message}`));
}

const setWeights: Act = ({ cloud }) => {
  const { weightedRuleArn, targetGroupArns } = cloud.model.config;
  const groups = 'Actions.member.1.ForwardConfig.TargetGroups.member';
  const stickiness = 'Actions.member.1.ForwardConfig.TargetGroupStickinessConfig';
  const [present] = cloud.model.elb.rule(weightedRuleArn).actions;
  const { enabled, durationSeconds } =
    present?.type === 'forward' ? present.forward.stickiness : { enabled: false, durationSeconds: 0 };
  report(
    callElb(cloud, {
      ...{ Action: 'ModifyRule', RuleArn: weightedRuleArn, 'Actions.member.1.Type': 'forward' },
      ...{ [`${groups}.1.TargetGroupArn`]: targetGroupArns.source, [`${groups}.1.Weight`]: '70' },
      ...{ [`${groups}.2.TargetGroupArn`]: targetGroupArns.target, [`${groups}.2.Weight`]: '30' },
      [`${stickiness}.Enabled`]: String(enabled),
      ...(enabled && { [`${stickiness}.DurationSeconds`]: String(durationSeconds) }),
    }),
  );
};

const setPriority: Act = ({ cloud }) => {
  const { weightedRuleArn } = cloud.model.config;
  const priority = 'RulePriorities.member.1.Priority';
  report(
    callElb(cloud, {
      ...{ Action: 'SetRulePriorities', 'RulePriorities.member.1.RuleArn': weightedRuleArn, [priority]: '321' },
    }),
  );
};

const addRule =
  (findHost: (cloud: LocalCloud) => string, priority: number): Act =>
  ({ cloud }) => {
    const { weightedListenerArn, targetGroupArns } = cloud.model.config;
    report(
      callElb(cloud, {
        ...{ Action: 'CreateRule', ListenerArn: weightedListenerArn, Priority: String(priority) },
        'Conditions.member.1.Field': 'host-header',
        'Conditions.member.1.HostHeaderConfig.Values.member.1': findHost(cloud),
        ...{ 'Actions.member.1.Type': 'forward', 'Actions.member.1.TargetGroupArn': targetGroupArns.source },
      }),
    );
  };

const alarm: Act = ({ cloud }) => {
  const [name] = watchedAlarms(cloud.model.machine);
  if (name !== undefined) cloud.alarms.set(name, 'ALARM', 'a fault of the rehearsal');
};

/** It bears no traffic: with its first requests it fails. */
const failWithWeight =
  (side: Side): Act =>
  (parts, occasion) => {
    const fail = () => Promise.resolve(void degrade(side, errors(100))(parts, occasion));
    return parts.cloud.faults.set(
      { ...SHIFT_CALL, ...SPARED },
      { kind: 'wait', until: fail },
      { times: 1, afterActing: true },
    );
  };

const abort: Act = ({ cloud }, { execution }) => requestAbort(cloud, execution);

/** As the console does, without a word of why. */
const stop: Act = ({ cloud }, { execution: { arn, status } }) => {
  if (status === 'RUNNING') cloud.states.stop(arn, '', '');
};

const redrive: Act = ({ cloud }, { execution }) => {
  setTimeout(() => {
    if (execution.status !== 'RUNNING') cloud.states.redrive(execution.arn);
  }, REDRIVEN_AFTER_MS);
};

const startSecond: Act = ({ cloud }) => void cloud.states.start(cloud.model.machine.arn, 'second-cutover', '{}');

const service = (name: string): FaultScope => ({ service: name });

/** A fault that has none does not compile. */
export const ACTS: Readonly<Record<FaultName, Act>> = {
  'target-dead': kill('target'),
  'target-hung': freeze('target'),
  'target-slow': degrade('target', slow),
  'target-errors': degrade('target', errors(30)),
  'target-errors-1': degrade('target', errors(1)),
  'target-errors-5': degrade('target', errors(5)),
  'target-errors-100': degrade('target', errors(100)),
  'source-dead': kill('source'),
  'source-hung': freeze('source'),
  'source-slow': degrade('source', slow),
  'source-errors-100': degrade('source', errors(100)),
  'both-dead': all(kill('source'), kill('target')),
  'both-errors-100': all(degrade('source', errors(100)), degrade('target', errors(100))),
  'both-errors-5': all(degrade('source', errors(5)), degrade('target', errors(5))),
  'source-dead-and-abort': all(kill('source'), abort),
  'source-cold-and-abort': all(abort, failWithWeight('source')),
  'source-without-tasks-and-abort': all(scaleIn('source'), abort),
  'proxy-crash-loop': crashLoop,
  'target-proxies-killed': signalProxies('target', 'SIGKILL'),
  'target-proxy-killed': signalProxies('target', 'SIGKILL', 1),
  'target-proxy-hung': signalProxies('target', 'SIGSTOP', 1),
  'target-proxy-hung-and-target-dead': all(signalProxies('target', 'SIGSTOP', 1), kill('target')),
  'source-proxies-killed': signalProxies('source', 'SIGKILL'),
  'source-proxy-killed': signalProxies('source', 'SIGKILL', 1),
  'source-proxy-hung': signalProxies('source', 'SIGSTOP', 1),
  'source-proxy-hung-in-scale-in': hangInScaleIn,
  'target-rejects-moves': degrade('target', { resumption: 'rejected' }),
  'target-dies-in-moves': inMoves(kill('target')),
  'source-proxy-killed-in-moves': inMoves(signalProxies('source', 'SIGKILL', 1)),
  'function-dies': breakFunction('dies'),
  'function-dies-in-its-call': dieInCall,
  'function-hangs': breakFunction('hangs'),
  'hook-says-no': breakHooks('no'),
  'hook-does-not-respond': breakHooks('hangs'),
  'hook-responds-otherwise': breakHooks('garbage'),
  'hook-says-not-yet': breakHooks('notYet'),
  'hook-says-not-yet-and-target-dead': all(breakHooks('notYet'), kill('target')),
  'calls-throttled': calls({}, { kind: 'throttle' }, { times: 20 }),
  'responses-lost': calls({}, { kind: 'reset' }, { times: 3, afterActing: true }),
  'calls-slow': calls({}, { kind: 'delay', ms: SLOW_MS }),
  'store-away': calls(service('s3'), AWAY),
  'store-hangs': calls(service('s3'), HANGS),
  'store-conflict': calls({ service: 's3', action: 'PutObject' }, { kind: 'status', status: 409 }, { times: 3 }),
  'ecs-away': calls(service('ecs'), AWAY),
  'ecs-hangs': calls(service('ecs'), HANGS),
  'secrets-away': calls(service('secretsmanager'), AWAY),
  'alarms-away': calls(service('cloudwatch'), AWAY),
  'store-away-and-target-dead': all(calls(service('s3'), AWAY), kill('target')),
  'store-hangs-and-target-dead': all(calls(service('s3'), HANGS), kill('target')),
  'ecs-away-and-target-dead': all(calls(service('ecs'), AWAY), kill('target')),
  'ecs-hangs-and-target-dead': all(calls(service('ecs'), HANGS), kill('target')),
  'secrets-hang-and-target-dead': all(calls(service('secretsmanager'), HANGS), kill('target')),
  'alarms-hang-and-target-dead': all(calls(service('cloudwatch'), HANGS), kill('target')),
  'capture-away': calls(RECORDS, AWAY),
  'capture-hangs': calls(RECORDS, HANGS),
  'capture-away-and-source-proxy-killed': all(calls(RECORDS, AWAY), signalProxies('source', 'SIGKILL', 1)),
  'weights-late': propagate({ at: 'routing', share: 1, ms: LATE_MS }),
  'weights-read-late': propagate({ at: 'reading', share: 1, ms: LATE_MS }),
  'weights-ignored': calls(SHIFT_CALL, { kind: 'pretend' }, { times: 1 }),
  'weights-not-in-force': propagate({ at: 'routing', share: 1, ms: Infinity }),
  'weights-in-part': propagate({ at: 'routing', share: 0.5, ms: Infinity }),
  'weights-by-hand': setWeights,
  'priority-by-hand': setPriority,
  'rule-of-lower-priority': addRule(() => 'blog.example.com', 40_000),
  'rule-that-catches-our-requests': addRule(({ model }) => model.config.domainName, 1),
  alarm,
  abort,
  'second-cutover': startSecond,
  'no-traffic': ({ stopTraffic }) => stopTraffic(),
  stop,
  'stop-and-redrive': all(stop, redrive),
};
