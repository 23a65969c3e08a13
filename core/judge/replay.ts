import { findDirection } from '../plan/direction';
import type { Plan } from '../plan/plan';
import {
  addToComparison,
  beginComparison,
  describeParts,
  findOddsAgainst,
  findShift,
  restartComparison,
  warmUp,
} from './comparison';
import { judgeFigures } from './figures';
import type { Late } from './late-windows';
import { bakeVerdict, stageWindow } from './judge';
import {
  BakeRecord,
  BeginRecord,
  JUDGE,
  LookRecord,
  PollRecord,
  unpackCounts,
  unpackReport,
  unpackWindow,
} from './look-record';
import { formatOdds } from './odds';
import { Watch, addSample, beginStage, watchFrom } from './watch';

/** One verdict, as it is on record and as it comes out again. */
export interface Recomputed {
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** From 0. */
  readonly stage: number;
  readonly recorded: string;
  readonly recomputed: string;
  /** The figures that it rests on, in words. */
  readonly because: readonly string[];
}

export interface Replay {
  readonly polls: number;
  /** The verdicts on bakes, and those against the side that gets the traffic. */
  readonly verdicts: readonly Recomputed[];
  /** Where what comes out is not what is on record; of each poll, not of the verdicts alone. */
  readonly differences: readonly Recomputed[];
}

/** What the judge had after one of the records. */
export interface Replayed<Record extends LookRecord = LookRecord> {
  readonly record: Record;
  readonly watch: Watch;
  /** From 0. */
  readonly stage: number;
}

type State = Pick<Replayed, 'watch' | 'stage'>;

/**
 * Gives the judge again what it was given.
 *
 * @throws RangeError when the first record is not that of before the first shift, or of another judge
 */
export function* replayEach(plan: Plan, records: readonly LookRecord[]): Generator<Replayed> {
  const [first, ...others] = records;
  if (first?.kind !== 'begin') {
    throw new RangeError(`the records must start before the first shift, got ${first ? `'${first.kind}'` : 'none'}`);
  }
  requireJudge(first);
  let state: State = { watch: begin(first, plan), stage: 0 };
  yield { ...state, record: first };
  for (const record of others) {
    state = advance(state, record, plan);
    yield { ...state, record };
  }
}

/** @throws RangeError of the records of another judge */
export function requireJudge({ judge = 1 }: Pick<BeginRecord, 'judge'>): void {
  if (judge === JUDGE) return;
  throw new RangeError(
    `the records must be of judge ${JUDGE}, got judge ${judge}: verify them with the release that wrote them`,
  );
}

/** @returns undefined of a record that no verdict is about */
export function compareVerdict({ record, ...state }: Replayed, plan: Plan): Recomputed | undefined {
  if (record.kind === 'poll') return comparePoll(state, record, plan);
  return record.kind === 'bake' ? compareBake(state, record, plan) : undefined;
}

/**
 * Computes every verdict of the judge again from what it was given: the same records give the same verdicts.
 *
 * @throws RangeError as `replayEach`
 */
export function replay(plan: Plan, records: readonly LookRecord[]): Replay {
  const all: Recomputed[] = [];
  for (const each of replayEach(plan, records)) all.push(...[compareVerdict(each, plan) ?? []].flat());
  return summarize(records, all);
}

export function summarize(records: readonly LookRecord[], all: readonly Recomputed[]): Replay {
  return {
    polls: records.filter(({ kind }) => kind === 'poll').length,
    verdicts: all.filter(({ recorded }) => !recorded.startsWith(GOES_ON)),
    differences: all.filter(({ recorded, recomputed }) => recorded !== recomputed),
  };
}

const GOES_ON = 'goes on';

function advance({ watch, stage }: State, record: LookRecord, plan: Plan): State {
  switch (record.kind) {
    case 'poll':
      return { stage, watch: addPoll(watch, record, stage, plan) };
    case 'shift':
      return { stage: record.stage, watch: shift(watch, record.stage, record.at, plan) };
    case 'restart':
      return { stage, watch: restart(watch, record.at) };
    case 'begin':
    case 'bake':
      return { stage, watch };
  }
}

function begin({ past, routes, until, at, counts }: BeginRecord, plan: Plan): Watch {
  const report = { aheadSeconds: 0, all: unpackWindow(past), routes: {}, segments: {} };
  return {
    ...watchFrom(unpackTallies(counts ?? { source: [], target: [] }), at),
    comparison: beginComparison(report, { routes, until }, plan),
  };
}

function unpackTallies({ source, target }: PollRecord['counts']): Watch['tallies'] {
  return { source: unpackCounts(source).tally, target: unpackCounts(target).tally };
}

function shift(watch: Watch, stage: number, at: number, plan: Plan): Watch {
  const started = stage === 0 ? watch : beginStage(watch, at);
  if (!watch.comparison) return started;
  const bakeSeconds = plan.stages[stage]?.bakeSeconds ?? 0;
  return { ...started, comparison: warmUp(watch.comparison, bakeSeconds, plan, at) };
}

/** As when a person said that what was seen is good. */
export function restart(watch: Watch, atMs: number): Watch {
  const started = beginStage(watch, atMs);
  return watch.comparison ? { ...started, comparison: restartComparison(watch.comparison) } : started;
}

function addPoll(watch: Watch, record: PollRecord, stage: number, plan: Plan): Watch {
  const [source, target] = [unpackCounts(record.counts.source), unpackCounts(record.counts.target)];
  const tallies = unpackTallies(record.counts);
  const smoked = { source: source.smoked, target: target.smoked };
  const serving = record.isServing ? findDirection(plan).from : undefined;
  const next = addSample(watch, tallies, smoked, record.at, serving);
  if (!record.windows || !next.comparison) return next;
  const windows = { source: unpackReport(record.windows.source), target: unpackReport(record.windows.target) };
  const comparison = addToComparison(next.comparison, windows, record, plan, findShift(plan, stage));
  return { ...next, comparison: { ...comparison, late: record.isSilent ? SILENT : {} } };
}

/** Which proxy it was is not on record, nor does it matter. */
const SILENT: Late = { source: { '': 0 } };

function comparePoll({ watch, stage }: State, record: PollRecord, plan: Plan): Recomputed {
  const said = judgeFigures(watch, plan, record.isConfirmed);
  const odds = watch.comparison && findOddsAgainst(watch.comparison);
  return {
    ...{ at: record.at, stage, because: said ? [said.message] : [] },
    // JSON has no word for what no number is as large as.
    recorded: describePoll(record.said, record.odds === null ? Infinity : record.odds),
    recomputed: describePoll(said?.code, odds),
  };
}

function describePoll(code = GOES_ON, odds?: number): string {
  return odds === undefined ? code : `${code} at odds of ${formatOdds(odds)}`;
}

function compareBake({ watch, stage }: State, record: BakeRecord, plan: Plan): Recomputed {
  const { elapsedSeconds, canPromote, verdict } = record;
  const { requests, errors } = stageWindow(watch, plan);
  const bake = { elapsedSeconds, canPromote, stage: plan.stages[stage]! };
  const parts = watch.comparison ? describeParts(watch.comparison, plan) : [];
  return {
    ...{ at: record.at, stage, recorded: verdict, recomputed: bakeVerdict(bake, watch, plan) },
    because: [`${errors} errors in ${requests} requests of the stage`, ...parts],
  };
}
