import { LedgerReport, NO_BYTES } from '../../core/admin';
import { Announcement } from '../../core/announcement';
import { ApprovalGate } from '../../core/approval';
import { KindCounts, NO_CONNECTIONS, NOTHING_ENDED } from '../../core/connections';
import { CutoverRun, begin } from '../../core/cutover';
import { CutoverError } from '../../core/errors';
import { Evidence } from '../../core/evidence';
import { Forward, RuleReading } from '../../core/forward';
import { NEVER_HELD, holdReport } from '../../core/hold';
import { parsePlan } from '../../core/plan';
import { AlarmReading } from '../../core/veto';
import { Side, formatWeights } from '../../core/weights';
import type { Ports } from '../../lambda/ports';

export const arns = { source: 'arn:source', target: 'arn:target' };
export const stickiness = { enabled: true, seconds: 3600 };

/** A whole cutover's surroundings in memory: what the steps read and write, and nothing of how AWS does it. */
export class MemoryWorld {
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
  healthy: Record<Side, number> = { source: 2, target: 2 };
  smoke: Record<Side, number | string> = { source: 200, target: 200 };
  tasks: Record<Side, LedgerReport[]> = { source: [report('s1')], target: [report('t1')] };
  /** The tasks whose admin port does not answer. */
  unreachable = new Set<string>();
  leaving = new Set<string>();
  lock: CutoverRun | undefined;
  aborts = new Set<string>();
  evidence: Evidence[] = [];
  alarms: AlarmReading[] = [];
  /** What people wrote, by gate. */
  words: Partial<Record<ApprovalGate, { text: string; writtenAtMs: number }>> = {};
  told: Announcement[] = [];
  /** The weights that were made a metric. */
  weighed: string[] = [];
  calls: string[] = [];
  nowMs = Date.parse('2026-01-01T00:00:00Z');

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
      rules: () => Promise.resolve(this.readings()),
      setForward: (forward) => {
        this.calls.push(`set ${forward.groups.map(({ arn, weight }) => `${arn}=${weight}`).join(' ')}`);
        this.forward = forward;
        return Promise.resolve();
      },
      healthyTargets: (side) => Promise.resolve(this.healthy[side]),
    },
    proxies: {
      reports: (side) =>
        Promise.all(
          this.tasks[side].map(async (each) => {
            await this.call(each.instance);
            return { address: each.instance, isLeaving: this.leaving.has(each.instance), report: each };
          }),
        ),
      addresses: (side) =>
        Promise.resolve(this.tasks[side].map(({ instance }) => instance).filter((each) => !this.leaving.has(each))),
      drain: async (address) => {
        await this.call(address);
        this.calls.push(`drain ${address}`);
        this.setState(address, 'draining');
      },
      undrain: async (address) => {
        await this.call(address);
        this.calls.push(`undrain ${address}`);
        this.setState(address, 'serving');
      },
    },
    alarms: {
      names: ['checkout-5xx', 'latency'],
      read: () => Promise.resolve(this.alarms),
    },
    notifier: {
      places: { storeBucket: 'store', weightedRuleArn: 'rule/weighted' },
      tell: (announcement) => {
        this.told.push(announcement);
        return Promise.resolve();
      },
    },
    metrics: { weights: (weights) => void this.weighed.push(formatWeights(weights)) },
    smoke: { get: (side) => Promise.resolve(this.smoke[side]) },
    store: {
      acquire: (run) => {
        if (this.lock && this.lock.execution !== run.execution)
          throw new CutoverError('LockHeld', `held by '${this.lock.execution}'`);
        this.lock = run;
        return Promise.resolve();
      },
      save: (run) => {
        const isPutBack = this.lock?.verdict === 'rollBack' && run.verdict !== 'rollBack';
        if (this.lock?.execution !== run.execution || isPutBack) throw new CutoverError('LockLost', 'not ours');
        this.lock = run;
        return Promise.resolve();
      },
      holder: () => Promise.resolve(this.lock),
      release: (execution) => {
        if (this.lock?.execution === execution) this.lock = undefined;
        return Promise.resolve();
      },
      abortRequested: (execution) => Promise.resolve(this.aborts.has(execution)),
      approval: (_, gate) => Promise.resolve(this.words[gate]),
      putEvidence: (evidence) => {
        this.evidence.push(evidence);
        return Promise.resolve();
      },
      hasEvidence: (execution) => Promise.resolve(this.evidence.some((each) => each.execution === execution)),
    },
  };

  constructor() {
    this.setAlarms('OK');
  }

  setAlarms(state: AlarmReading['state'], reason = ''): void {
    this.alarms = [
      { name: 'checkout-5xx', state, reason },
      { name: 'latency', state: 'OK', reason: '' },
    ];
  }

  /** A person writes an object. */
  write(gate: ApprovalGate, text: string): void {
    this.words[gate] = { text, writtenAtMs: this.nowMs };
  }

  get kindsTold(): string[] {
    return this.told.map(({ detail }) => detail.kind);
  }

  /** A run that has its lock and its preflight. */
  ready(plan: unknown = {}): CutoverRun {
    const initial = { stickiness, others: { ...this.others } };
    const run = { ...begin('night', '2026-01-01T00:00:00.000Z', parsePlan(plan)), initial };
    this.lock = run;
    return run;
  }

  private readings(): RuleReading[] {
    const others = Object.entries(this.others).map(([arn, digest]) => ({ arn, digest }));
    return [{ arn: 'rule/weighted', digest: 'w', forward: this.staleForward ?? this.forward }, ...others];
  }

  private call(address: string): Promise<void> {
    if (!this.unreachable.has(address)) return Promise.resolve();
    return Promise.reject(new CutoverError('AdminUnreachable', `${address} must answer, got ECONNREFUSED`));
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
    answered = total,
    errors = 0,
    active = {},
    state = 'serving',
  }: {
    total?: number;
    answered?: number;
    errors?: number;
    active?: Partial<KindCounts>;
    state?: LedgerReport['state'];
  } = {},
): LedgerReport {
  return {
    instance,
    state,
    drainRemainingSeconds: 0,
    drainForced: 0,
    active: { ...NO_CONNECTIONS, ...active },
    ended: NOTHING_ENDED,
    requests: { total, answered, errors },
    oldestSeconds: NO_CONNECTIONS,
    bytes: NO_BYTES,
    hold: holdReport(NEVER_HELD, 0, 0),
    upstream: 'source',
  };
}
