import { CutoverRun, Verdict } from '../../../core/cutover/run';
import { approveWatched } from '../../../lambda/steps/approve';
import { bake } from '../../../lambda/steps/bake';
import { complete } from '../../../lambda/steps/complete';
import { confirm } from '../../../lambda/steps/confirm';
import { drain } from '../../../lambda/steps/drain';
import { hook } from '../../../lambda/steps/hook';
import { preflight } from '../../../lambda/steps/preflight';
import { record } from '../../../lambda/steps/record';
import { rollback } from '../../../lambda/steps/rollback';
import { shift } from '../../../lambda/steps/shift';
import { switchStep } from '../../../lambda/steps/switch';
import { verify } from '../../../lambda/steps/verify';
import { Act } from '../../../lambda/shared/step';
import { MemoryCloud, report } from '../world';

/** As the definition of the state machine orders them. */
const ACTS: Record<string, Act<CutoverRun, CutoverRun>> = {
  ...{ Preflight: preflight, Approve: approveWatched, Ask: approveWatched, FirstHook: hook, Hook: hook, Shift: shift },
  ...{ Switch: switchStep, Confirm: confirm, Bake: bake, Drain: drain, Verify: verify, Complete: complete },
  ...{ Rollback: rollback, Record: record },
};
const BETWEEN: Partial<Record<Verdict, string>> = {
  ...{ nextStage: 'Shift', switch: 'Switch', go: 'Confirm', confirmed: 'Bake', drain: 'Drain', drained: 'Verify' },
  ...{ ask: 'Ask', hook: 'Hook', verified: 'Complete' },
};
const NEXT: Record<string, Partial<Record<Verdict, string>>> = {
  Preflight: { go: 'Shift', switch: 'Switch', approve: 'Approve', hook: 'FirstHook' },
  FirstHook: { approved: 'Preflight', approve: 'Approve', hook: 'FirstHook' },
  Approve: { approved: 'Preflight' },
  Rollback: { restored: 'Record' },
};
const IS_FIRST = ['Preflight', 'FirstHook', 'Approve', 'Rollback'];

export interface Driven {
  readonly run: CutoverRun;
  readonly states: readonly string[];
}

/** Runs a cutover in memory, from its preflight to its record. */
export async function drive(
  cloud: MemoryCloud,
  plan: object,
  meanwhile: (state: string, run: CutoverRun) => void = () => undefined,
): Promise<Driven> {
  let run = { ...cloud.ready(plan), initial: undefined } as unknown as CutoverRun;
  cloud.lock = run;
  const states: string[] = [];
  let served = 0;
  for (let state = 'Preflight'; states.length < 200;) {
    states.push(state);
    served += 50;
    cloud.tasks.target = [report('t1', { total: served })];
    meanwhile(state, run);
    run = await ACTS[state]!(run, cloud.ports, cloud.nowMs);
    if (state === 'Complete' || state === 'Record') return { run, states };
    cloud.nowMs += 1_000;
    if (run.verdict === 'wait') cloud.nowMs += run.waitSeconds * 1000;
    else state = next(state, run.verdict);
  }
  throw new Error(`the cutover must end, got ${states.slice(-9).join(' ')}`);
}

function next(state: string, verdict: Verdict): string {
  if (IS_FIRST.includes(state)) return NEXT[state]![verdict] ?? 'Record';
  return BETWEEN[verdict] ?? 'Rollback';
}
