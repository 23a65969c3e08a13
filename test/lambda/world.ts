import { DrainOrder, LedgerReport, NO_BYTES, UndrainOrder } from '../../core/proxy/admin-api';
import { Announcement } from '../../core/cutover/announcement';
import type { GateName } from '../../core/approval/approval';
import { KindCounts, NO_CONNECTIONS, NOTHING_ENDED } from '../../core/proxy/connections';
import { CutoverRun, begin } from '../../core/cutover/run';
import { CutoverError } from '../../core/errors/errors';
import type { ScalingState } from '../../core/cutover/scaling';
import { Evidence } from '../../core/cutover/evidence';
import { Forward } from '../../core/traffic/forward';
import type { Diagnosis } from '../../core/cutover/readiness';
import { RuleMark } from '../../core/cutover/verified-mark';
import { RuleReading, otherRules } from '../../core/traffic/listener-rules';
import { NEVER_HELD, holdReport, NO_HOLD_FIGURES } from '../../core/proxy/hold';
import { parsePlan } from '../../core/plan/plan';
import type { Quorum } from '../../core/plan/smoke';
import { AlarmReading, CheckedAlarms } from '../../core/judge/alarm-check';
import type { Arrived } from '../../core/judge/sessions';
import { Statement } from '../../core/approval/statement';
import type { LookRecord } from '../../core/judge/look-record';
import { NO_WINDOW, WindowOrder, WindowReport } from '../../core/proxy/window';
import { TaskReading } from '../../core/judge/tally';
import { Side, formatWeights } from '../../core/traffic/weights';
import type { SwitchTask } from '../../lambda/contract/switch-ports';
import { MemoryStore } from './switch/switch-world';
import type { ReplayStatus } from '../../core/replay/replay-status';
import type { Ports } from '../../lambda/contract/ports';

export const arns = { source: 'arn:source', target: 'arn:target' };
export const stickiness = { enabled: true, seconds: 3600 };

type Service = 'store' | 'replays' | 'ecs' | 'loadBalancer' | 'alarms' | 'scaling';

/** As the definition of the state machine says. */
export const ALARMS: CheckedAlarms = {
  source: { metric: ['no-source'], other: [] },
  target: { metric: ['checkout-5xx'], other: ['latency'] },
};

/** In each look. */
const NEW_CLIENTS = 2_000;
/** What is asked for before the first shift. */
const PAST_SECONDS = 290;

/** A whole cutover's surroundings in memory: what the steps read and write, and nothing of how AWS does it. */
export class MemoryCloud {
  forward: Forward = {
    groups: [
      { arn: arns.source, weight: 100 },
      { arn: arns.target, weight: 0 },
    ],
    stickiness,
  };
  /** What a read-back gives; `undefined` gives the truth. */
  staleForward: Forward | undefined;
  others: Record<string, string> = { 'rule/source': 'a', 'rule/target': 'b' };
  /** Where and when those of them count; without any they catch everything. */
  conditions: Record<string, Partial<RuleReading>> = {};
  ownDigest = 'own';
  healthy: Record<Side, number> = { source: 2, target: 2 };
  smoke: Record<Side, number | string> = { source: 200, target: 200 };
  /** How many targets each smoke request wanted a response of. */
  quorums: Quorum[] = [];
  tasks: Record<Side, LedgerReport[]> = { source: [report('s1')], target: [report('t1')] };
  /** What arrives at a side between two looks, where its proxies say it. */
  arrived: Partial<Record<Side, Arrived>> = {};
  /** The tasks whose admin port does not respond. */
  unreachable = new Set<string>();
  leaving = new Set<string>();
  /** Tasks that ECS lists as stopped, by their exit code. */
  stopped: Record<Side, Record<string, number | undefined>> = { source: {}, target: {} };
  /** Services that do not respond. */
  away = new Set<Service>();
  /** Deployments in progress. */
  deployments: Partial<Record<Side, string>> = {};
  /** The sides that something scales. */
  scaling: Partial<Record<Side, ScalingState>> = {};
  lock: CutoverRun | undefined;
  readonly switches: MemoryStore = new MemoryStore();
  /** The tasks of a switch; those of the judge are another list. */
  switchTasks: () => SwitchTask[] = () => [];
  /** Registered beside the tasks of a switch. */
  strangers: string[] = [];
  /** The tags of the rule. */
  marks: Partial<Record<RuleMark, string>> = {};
  told = new Set<string>();
  aborts = new Set<string>();
  evidence: Evidence[] = [];
  /** What was recorded for the standing alarm. */
  diagnosed: Diagnosis[] = [];
  /** What the judge was given, by the number of the object. */
  looks: (readonly LookRecord[])[] = [];
  /** Whether new clients come to both sides by the weights, where nothing else is said. */
  followsWeights = true;
  /** What a side's first task did in the seconds that it is asked for. */
  window: (side: Side, order: WindowOrder) => WindowReport | undefined = () => undefined;
  alarms: AlarmReading[] = [];
  /** What people wrote, by question. */
  words: Partial<Record<GateName, { text: string; writtenAtMs: number }>> = {};
  /** What was written where no approval may take its place. */
  rejections: Partial<Record<GateName, { text: string; writtenAtMs: number }>> = {};
  /** What STS says of a statement. */
  signer: (statement: Statement) => string = () => 'arn:aws:iam::123456789012:user/ann';
  notified: Announcement[] = [];
  /** The weights that were made a metric. */
  weighed: string[] = [];
  calls: string[] = [];
  /** Of the calls to drain and to undrain. */
  orders: [address: string, order: DrainOrder | UndrainOrder][] = [];
  nowMs = Date.parse('2026-01-01T00:00:00Z');
  /** What a replay says of itself, by its name. */
  replays: Record<string, ((cloud: MemoryCloud) => ReplayStatus | undefined) | undefined> = {};

  /** What a function of a hook returns. */
  invoke: Ports['functions']['invoke'] = () => Promise.reject(new Error('there is no such function'));

  openServer: Ports['stores']['openServer'] = () => Promise.reject(new Error('there is no such store'));
  hosts: Ports['hosts'] = {
    send: () => Promise.reject(new Error('there is no such host')),
    read: () => Promise.reject(new Error('there is no such host')),
  };

  openStore: Ports['stores']['open'] = () => Promise.reject(new Error('there is no such store'));

  checkFunction: Ports['functions']['check'] = () => Promise.resolve();
  /** What a URL of a hook responds. */
  send: Ports['urls']['send'] = () => Promise.reject(new Error('connect ECONNREFUSED'));

  /** What others do while a step waits. */
  whilePausing: () => void = () => undefined;

  readonly ports: Ports = {
    now: () => this.nowMs,
    pause: (milliseconds) => {
      this.nowMs += milliseconds;
      this.whilePausing();
      return Promise.resolve();
    },
    loadBalancer: {
      groupArns: arns,
      ruleArn: 'rule/weighted',
      rules: async () => this.reach('loadBalancer', () => this.readings()),
      setForward: async (forward) => {
        await this.reach('loadBalancer', () => undefined);
        this.calls.push(`set ${forward.groups.map(({ arn, weight }) => `${arn}=${weight}`).join(' ')}`);
        this.forward = forward;
      },
      healthyTargets: async (side) => this.reach('loadBalancer', () => this.healthy[side]),
      registeredTargets: async (side) => this.reach('loadBalancer', () => this.registered(side)),
      mark: async (mark, value) => this.reach('loadBalancer', () => void (this.marks[mark] = value)),
      marks: async () => this.reach('loadBalancer', () => this.marks),
    },
    switches: this.switches,
    functions: { invoke: (...given) => this.invoke(...given), check: (arn) => this.checkFunction(arn) },
    stores: { open: (...given) => this.openStore(...given), openServer: (...given) => this.openServer(...given) },
    hosts: {
      send: (...given) => this.hosts.send(...given),
      read: (...given) => this.hosts.read(...given),
    },
    urls: { send: (...given) => this.send(...given) },
    replays: {
      status: async (name) => this.reach('replays', () => this.replays[name]?.(this)),
      order: async (name, { catchUp }) =>
        this.reach('replays', () => void this.calls.push(`order ${name} to ${catchUp}`)),
    },
    services: {
      deployment: async (side) => this.reach('ecs', () => this.deployments[side]),
      scaling: async (side) => this.reach('scaling', () => this.scaling[side]),
      suspend: async (side, state) =>
        this.reach('scaling', () => {
          this.calls.push(`${state.scaleIn ? 'suspend' : 'resume'} ${side}`);
          this.scaling[side] = state;
        }),
      scaleOut: async (side, desiredCount) =>
        this.reach('ecs', () => void this.calls.push(`scale out ${side} to ${desiredCount}`)),
    },
    proxies: {
      open: () => this.reach('ecs', () => this.switchTasks()),
      tasks: async (side, order) => this.reach('ecs', () => this.withWindows(side, order)),
      addresses: async (side) =>
        this.reach('ecs', () =>
          this.tasks[side].map(({ instance }) => instance).filter((each) => !this.leaving.has(each)),
        ),
      drain: async (address, order) => {
        await this.call(address);
        this.orders.push([address, order]);
        this.calls.push(`drain ${address}`);
        this.setState(address, 'draining');
      },
      undrain: async (address, order) => {
        await this.call(address);
        this.orders.push([address, order]);
        this.calls.push(`undrain ${address}`);
        this.setState(address, 'serving');
      },
    },
    alarms: {
      read: async (checked) =>
        this.reach('alarms', () => {
          if (!checked) throw new Error('the run must know its alarms');
          return this.alarms;
        }),
    },
    notifier: {
      places: { storeBucket: 'store', weightedRuleArn: 'rule/weighted' },
      tell: (announcement) => {
        this.notified.push(announcement);
        return Promise.resolve();
      },
    },
    metrics: {
      weights: (weights) => void this.weighed.push(formatWeights(weights)),
      readiness: (diagnosis) => void this.diagnosed.push(diagnosis),
    },
    smoke: {
      host: 'shop.example.com',
      checkTrust: () => Promise.resolve(),
      probe: (side, _, { quorum }) => {
        this.quorums.push(quorum);
        return Promise.resolve({ got: this.smoke[side], attempts: 0 });
      },
    },
    identity: {
      host: 'sts.eu-central-1.amazonaws.com',
      region: 'eu-central-1',
      account: '123456789012',
      findSigner: async (statement) => this.signer(statement),
    },
    store: {
      acquire: (run) => {
        if (this.lock && this.lock.execution !== run.execution)
          throw new CutoverError('LockHeld', `held by '${this.lock.execution}'`);
        this.lock = run;
        return Promise.resolve();
      },
      save: async (run) => {
        await this.reach('store', () => undefined);
        const isPutBack = this.lock?.verdict === 'rollBack' && run.verdict !== 'rollBack';
        const isUnseen = this.lock?.isVerified === true && run.isVerified === undefined;
        if (this.lock?.execution !== run.execution || isPutBack || isUnseen)
          throw new CutoverError('LockLost', 'not ours');
        this.lock = run;
      },
      holder: async () => this.reach('store', () => this.lock && { ...this.lock, hasExpired: false }),
      release: async (execution) => {
        await this.reach('store', () => undefined);
        if (this.lock?.execution === execution) this.lock = undefined;
      },
      abortRequested: async (execution) => this.reach('store', () => this.aborts.has(execution)),
      approval: async (_, gate) => this.reach('store', () => this.words[gate]),
      rejection: async (_, gate) => this.reach('store', () => this.rejections[gate]),
      putEvidence: async (evidence) => this.reach('store', () => void this.evidence.push(evidence)),
      putLooks: async (_, number, records) => this.reach('store', () => void (this.looks[number - 1] = records)),
      looks: async (_, number) => this.reach('store', () => this.looks[number - 1]),
      countLooks: async () => this.reach('store', () => this.looks.length),
      hasEvidence: async (execution) =>
        this.reach('store', () => this.evidence.some((each) => each.execution === execution)),
      wasNotified: async (execution) => this.reach('store', () => this.told.has(execution)),
      noteNotified: async (execution) => this.reach('store', () => void this.told.add(execution)),
    },
  };

  constructor() {
    this.setAlarms('OK');
  }

  setAlarms(state: AlarmReading['state'], reason = ''): void {
    this.alarms = [
      { name: 'checkout-5xx', state, reason },
      { name: 'latency', state: 'OK', reason: '' },
      { name: 'no-source', state: 'OK', reason: '' },
    ];
  }

  /** A person writes an object. */
  write(gate: GateName, text: string): void {
    this.words[gate] = { text, writtenAtMs: this.nowMs };
  }

  get kindsNotified(): string[] {
    return this.notified.map(({ detail }) => detail.kind);
  }

  /** A run that has its lock and its preflight. */
  ready(plan: unknown = {}): CutoverRun {
    const initial = { stickiness, others: this.otherDigests(), ownDigest: 'own' };
    const run = { ...begin('night', '2026-01-01T00:00:00.000Z', parsePlan(plan)), alarms: ALARMS, initial };
    this.lock = run;
    return run;
  }

  /** As preflight would have read them: these rules can catch everything. */
  otherDigests(): Record<string, string> {
    return otherRules(this.readings(), 'rule/weighted');
  }

  private readings(): RuleReading[] {
    const others = Object.entries(this.others).map(([arn, digest]) => ({
      arn,
      digest,
      matchDigest: digest,
      priority: 1,
      ...this.conditions[arn],
    }));
    const own = { arn: 'rule/weighted', digest: 'w', matchDigest: this.ownDigest, priority: 10, paths: ['/*'] };
    // Ours is not the first one: AWS lists them in no promised order.
    return [...others, { ...own, hosts: ['shop.example.com'], forward: this.staleForward ?? this.forward }];
  }

  private taskReadings(side: Side): TaskReading[] {
    const live = this.tasks[side].map((each): TaskReading => {
      const life = this.leaving.has(each.instance) ? 'leaving' : 'running';
      const reading = { id: each.instance, address: each.instance, life } as const;
      if (this.unreachable.has(each.instance)) return { ...reading, problem: 'got ECONNREFUSED' };
      return { ...reading, report: each };
    });
    const stopped = Object.entries(this.stopped[side]).map(([id, exitCode]): TaskReading => ({
      id,
      address: '',
      life: 'stopped',
      ...(exitCode !== undefined && { exitCode }),
    }));
    return [...live, ...stopped];
  }

  /** One task did all of it: the sum counts. */
  private withWindows(side: Side, order: WindowOrder | undefined): TaskReading[] {
    const readings = this.taskReadings(side);
    const window = order && (this.window(side, order) ?? this.arrivedWindow(side) ?? this.weighedWindow(side, order));
    const first = readings.findIndex(({ report }) => report !== undefined);
    if (!window) return readings;
    return readings.map((reading, index) => {
      if (!reading.report) return reading;
      return { ...reading, window: index === first ? window : { ...window, all: NO_WINDOW } };
    });
  }

  /** New clients by the weights, of which nothing else is known. */
  private weighedWindow(side: Side, { until, after }: WindowOrder): WindowReport | undefined {
    const isPast = until - after >= PAST_SECONDS;
    if (!this.followsWeights || isPast) return undefined;
    const sum = this.forward.groups.reduce((total, { weight }) => total + weight, 0);
    const weight = this.forward.groups.find(({ arn }) => arn === arns[side])?.weight ?? 0;
    const unbound = Math.round((NEW_CLIENTS * weight) / sum);
    return { aheadSeconds: 0, all: { ...NO_WINDOW, requests: unbound, unbound }, routes: {}, segments: {} };
  }

  private arrivedWindow(side: Side): WindowReport | undefined {
    const arrived = this.arrived[side];
    if (!arrived) return undefined;
    const { returning, fresh } = arrived;
    return {
      aheadSeconds: 0,
      all: { ...NO_WINDOW, requests: returning + fresh, unbound: fresh },
      routes: {},
      segments: {},
    };
  }

  private async reach<T>(service: Service, read: () => T): Promise<T> {
    if (this.away.has(service)) throw new CutoverError('AwsUnavailable', `${service} must respond, got 503`);
    return read();
  }

  private registered(side: Side): string[] {
    const tasks = this.switchTasks().filter(({ home }) => home === side);
    return [...tasks.flatMap(({ address }) => address ?? []), ...this.strangers];
  }

  private call(address: string): Promise<void> {
    if (!this.unreachable.has(address)) return Promise.resolve();
    return Promise.reject(new CutoverError('AdminUnreachable', `${address} must respond, got ECONNREFUSED`));
  }

  private setState(instance: string, state: LedgerReport['state']): void {
    for (const side of ['source', 'target'] as const) {
      this.tasks[side] = this.tasks[side].map((each) => (each.instance === instance ? { ...each, state } : each));
    }
  }
}

export function report(
  instance: string,
  {
    total = 0,
    responded = total,
    errors = 0,
    active = {},
    state = 'serving',
  }: {
    total?: number;
    responded?: number;
    errors?: number;
    active?: Partial<KindCounts>;
    state?: LedgerReport['state'];
  } = {},
): LedgerReport {
  return {
    identity: 'one',
    instance,
    state,
    drainRemainingSeconds: 0,
    drainForced: 0,
    abandoned: { total: 0 },
    active: { ...NO_CONNECTIONS, ...active },
    ended: NOTHING_ENDED,
    requests: { total, responded, errors },
    oldestSeconds: NO_CONNECTIONS,
    longestRequestMs: 0,
    bytes: NO_BYTES,
    hold: holdReport(NEVER_HELD, 0, 0),
    upstream: 'source',
    holds: NO_HOLD_FIGURES,
    fastPath: 'on',
    movable: { setting: 'resumable', hasOther: true },
  };
}
