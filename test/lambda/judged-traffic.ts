import { Evidence, withLooks } from '../../core/cutover/evidence';
import { CutoverRun } from '../../core/cutover/run';
import { NO_WINDOW, WindowOrder, WindowReport } from '../../core/proxy/window';
import { Side } from '../../core/traffic/weights';
import { lookOften } from '../../lambda/shared/looks';
import { approveWatched } from '../../lambda/steps/approve';
import { bake } from '../../lambda/steps/bake';
import { confirm } from '../../lambda/steps/confirm';
import { shift } from '../../lambda/steps/shift';
import { complete } from '../../lambda/steps/complete';
import { drain } from '../../lambda/steps/drain';
import { record } from '../../lambda/steps/record';
import { rollback } from '../../lambda/steps/rollback';
import { verify } from '../../lambda/steps/verify';
import { MemoryCloud, report } from './world';

/** What a side does in each second. */
export interface Rate {
  readonly requests: number;
  readonly errors: number;
  /** Those without a cookie of a group. */
  readonly unbound?: number;
}
export type Rates = Readonly<Record<Side, Rate>>;

export const PLAN = {
  stages: [{ weights: { source: 50, target: 50 }, bakeSeconds: 600 }, { weights: { source: 0, target: 1 } }],
};
export const HEALTHY: Rate = { requests: 100, errors: 0 };

/** Each second of each side counts once: the windows and the counters tell the same story. */
export class Traffic {
  rates: Rates = { source: HEALTHY, target: HEALTHY };
  /** From this second on. */
  later: { readonly from: number; readonly rates: Rates } | undefined;
  private readonly totals = { source: { total: 0, errors: 0 }, target: { total: 0, errors: 0 } };
  private secondMs: number;
  private readonly history = new Map<number, Rates>();

  constructor(readonly cloud: MemoryCloud) {
    this.secondMs = cloud.nowMs;
    cloud.window = (side, order) => this.window(side, order);
    const { pause } = cloud.ports;
    (cloud.ports as { pause: typeof pause }).pause = async (milliseconds) => {
      await pause(milliseconds);
      this.run();
    };
  }

  pass(seconds: number): number {
    this.cloud.nowMs += seconds * 1000;
    this.run();
    return this.cloud.nowMs;
  }

  private run(): void {
    for (; this.secondMs < this.cloud.nowMs; this.secondMs += 1000) {
      const second = Math.floor(this.secondMs / 1000);
      if (this.later && second >= this.later.from) this.rates = this.later.rates;
      this.history.set(second, this.rates);
      for (const side of ['source', 'target'] as const) {
        this.totals[side].total += this.rates[side].requests;
        this.totals[side].errors += this.rates[side].errors;
      }
    }
    this.cloud.tasks = { source: [report('s1', this.totals.source)], target: [report('t1', this.totals.target)] };
  }

  private window(side: Side, { after, until }: WindowOrder): WindowReport {
    const all = { ...NO_WINDOW };
    for (let second = after + 1; second <= until; second += 1) {
      const rate = this.history.get(second)?.[side];
      if (!rate) continue;
      const { requests, errors, unbound = requests } = rate;
      Object.assign(all, {
        requests: all.requests + requests,
        unbound: all.unbound + unbound,
        responded: all.responded + requests,
        errors: all.errors + errors,
        erring: all.erring + errors,
      });
    }
    return { aheadSeconds: 0, all, routes: {}, segments: {} };
  }
}

export async function baking(plan: object = PLAN): Promise<{ traffic: Traffic; run: CutoverRun; cloud: MemoryCloud }> {
  const cloud = new MemoryCloud();
  const traffic = new Traffic(cloud);
  traffic.rates = { source: { requests: 200, errors: 1 }, target: { requests: 0, errors: 0 } };
  const ready = cloud.ready(plan);
  traffic.pass(300);
  const shifted = await shift(ready, cloud.ports, cloud.nowMs);
  traffic.rates = { source: HEALTHY, target: HEALTHY };
  traffic.pass(2);
  return { traffic, cloud, run: await confirm(shifted, cloud.ports, cloud.nowMs) };
}

/** Polls as the state machine has them made, until there is a verdict or the time has expired. */
export async function poll({ traffic, run }: { traffic: Traffic; run: CutoverRun }, seconds: number) {
  const { cloud } = traffic;
  const startedMs = cloud.nowMs;
  let next = run;
  do {
    next = await lookOften(bake)(next, cloud.ports, cloud.nowMs);
    if (next.verdict !== 'wait') break;
    traffic.pass(next.waitSeconds);
  } while (cloud.nowMs - startedMs < seconds * 1000);
  return { run: next, seconds: (cloud.nowMs - startedMs) / 1000 };
}

/** The evidence as `drainshift evidence` fetches it. */
export function fetchEvidence({ evidence, looks }: MemoryCloud): Evidence {
  return JSON.parse(JSON.stringify(withLooks(evidence.at(-1)!, looks))) as Evidence;
}

/** A cutover whose target fails five times as often from its second minute on. */
export async function rolledBack(plan?: object): Promise<Evidence> {
  const given = await baking(plan);
  const { cloud, traffic } = given;
  traffic.rates = { source: { requests: 200, errors: 1 }, target: { requests: 200, errors: 1 } };
  const good = await poll(given, 60);
  traffic.rates = { source: { requests: 200, errors: 1 }, target: { requests: 200, errors: 5 } };
  const { run } = await poll({ ...given, run: good.run }, 300);
  await record(await rollback(run, cloud.ports, traffic.pass(1)), cloud.ports, traffic.pass(1));
  return fetchEvidence(cloud);
}

export async function completed(): Promise<Evidence> {
  return fetchEvidence(await runToTheEnd());
}

/** The same cutover where the plan asks a person, who approves what is seen at first, and then says no. */
export async function rejected(): Promise<Evidence> {
  const approval = { requireIdentity: false, timeoutSeconds: 600 };
  const given = await baking({ ...PLAN, approval, judge: { onFailure: 'pause' } });
  const { cloud, traffic } = given;
  const rates = { source: { requests: 200, errors: 1 }, target: { requests: 200, errors: 5 } };
  let { run } = await poll(given, 60);
  for (const [gate, decision] of [
    ['judge', 'approve'],
    ['judge-2', 'reject'],
  ] as const) {
    traffic.rates = rates;
    run = (await poll({ traffic, run }, 300)).run;
    run = await lookOften(approveWatched)(run, cloud.ports, traffic.pass(1));
    traffic.pass(1);
    cloud.write(gate, JSON.stringify({ decision, by: 'ann' }));
    run = await lookOften(approveWatched)(run, cloud.ports, traffic.pass(1));
  }
  await record(await rollback(run, cloud.ports, traffic.pass(1)), cloud.ports, traffic.pass(1));
  return fetchEvidence(cloud);
}

/** A stage that proves nothing, with which a person goes on, and an operator who stops the next one. */
export async function unprovenAndStopped(): Promise<Evidence> {
  const stages = [
    { weights: { source: 50, target: 50 }, bakeSeconds: 60 },
    { weights: { source: 0, target: 1 }, bakeSeconds: 60 },
  ];
  const approval = { requireIdentity: false, timeoutSeconds: 600 };
  const given = await baking({ stages, approval, judge: { errorBudget: 0.001 } });
  const { cloud, traffic } = given;
  const { ports } = cloud;
  const few = { requests: 1, errors: 0 };
  traffic.rates = { source: few, target: few };
  let { run } = await poll(given, 300);
  run = await lookOften(approveWatched)(run, ports, traffic.pass(1));
  traffic.pass(1);
  cloud.write('judge', JSON.stringify({ decision: 'approve', by: 'ann' }));
  run = await lookOften(approveWatched)(run, ports, traffic.pass(1));
  run = await lookOften(shift)(run, ports, traffic.pass(1));
  run = await lookOften(confirm)(run, ports, traffic.pass(2));
  cloud.aborts.add(run.execution);
  run = (await poll({ traffic, run }, 300)).run;
  await record(await rollback(run, ports, traffic.pass(1)), ports, traffic.pass(1));
  return fetchEvidence(cloud);
}

/** What a completed cutover leaves in its store. */
export async function runToTheEnd(): Promise<MemoryCloud> {
  const stages = [
    { weights: { source: 50, target: 50 }, bakeSeconds: 60 },
    { weights: { source: 0, target: 1 }, bakeSeconds: 60 },
  ];
  const given = await baking({ stages });
  const { cloud, traffic } = given;
  const { ports } = cloud;
  let { run } = await poll(given, 300);
  traffic.pass(2);
  run = await lookOften(shift)(run, ports, cloud.nowMs);
  traffic.rates = { source: { requests: 0, errors: 0 }, target: { requests: 200, errors: 0 } };
  traffic.pass(2);
  run = await lookOften(confirm)(run, ports, cloud.nowMs);
  run = (await poll({ traffic, run }, 300)).run;
  for (const step of [drain, verify] as const) {
    do {
      traffic.pass(run.waitSeconds);
      run = await lookOften(step)(run, ports, cloud.nowMs);
    } while (run.verdict === 'wait');
  }
  await complete(run, ports, traffic.pass(1));
  return cloud;
}
