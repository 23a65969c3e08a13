import { KIND_ENDINGS, sumEnding } from '../judge/kind-tally';
import { sumCarried } from '../judge/move-tally';
import { ByKind, ConnectionKind, KindCounts, NO_CONNECTIONS, eachKind, total } from '../proxy/connections';
import {
  CutoverRun,
  DrainEndings,
  DrainProgress,
  Failure,
  Outcome,
  RollbackRecord,
  StageRecord,
  TimelineEntry,
  findFailure,
} from './run';
import type { HookRecord } from './hook-records';
import { recordWait } from './hooks';
import { MovesSeen, summarizeMoves } from './moves-seen';
import { findDirection } from '../plan/direction';
import { looksKey, looksPrefix } from './looks';
import type { LookRecord } from '../judge/look-record';
import { Plan } from '../plan/plan';
import type { Side } from '../traffic/weights';
import { EVIDENCE_SCHEMA } from '../validation/shapes';
import type { SwitchRecord } from '../switch/switch-record';

/** The one file that a cutover leaves. The rehearsal adds `traffic`: what its own clients saw. */
export interface Evidence {
  readonly schema: typeof EVIDENCE_SCHEMA;
  readonly outcome: Outcome;
  readonly execution: string;
  readonly startedAt: string;
  readonly durationSeconds: number;
  readonly plan: Plan;
  readonly stages: readonly StageRecord[];
  /** The last ledger of the side that was left, under its name, and how its connections ended in the drain. */
  readonly drain: Partial<Record<Side, KindCounts>> & {
    readonly atStart: KindCounts;
    /** Tasks of that side that did not respond at the last look: what they held is unknown. */
    readonly unknownTasks: number;
  } & DrainEndings & {
      /** Ended by themselves: what was live at the start and is in no other count. */
      readonly completed: number;
      /** The same by kind. Absent where it is unknown. */
      readonly byKind?: ByKind<KindEnd>;
    };
  /** What became of live connections that moved to the other backend. Absent where it is unknown. */
  readonly moves?: MovesSeen;
  /** The attempts to switch, of a plan that does. */
  readonly switches?: readonly SwitchRecord[];
  /**
   * What the judge was given at every poll, and said: `drainshift verdict` computes each verdict again. In the store: what the objects
   * do not have.
   */
  readonly looks?: readonly LookRecord[];
  /** How many of them there are, in all: one that was taken out is missed. */
  readonly looksKept?: number;
  /** In the store: where those before are. `drainshift evidence` puts them into `looks`. */
  readonly looksIn?: LooksIn;
  /** Why some of them are missing: their verdicts cannot be computed again. */
  readonly looksMissing?: string;
  /** The calls of the plan's hooks, and what came of each. */
  readonly hooks?: readonly HookRecord[];
  /** How many of them, which passed early, are not there. */
  readonly hooksLeftOut?: number;
  /** Rules of the load balancer that others changed meanwhile, and that cannot catch requests of ours. By ARN. */
  readonly otherRulesChanged?: readonly string[];
  readonly failure?: Failure;
  readonly rollback?: RollbackRecord & {
    /** Why it did not succeed, when a step of it threw. */
    readonly error?: string;
  };
  readonly timeline: readonly TimelineEntry[];
}

/** How connections of one kind ended. What is absent is unknown, and not zero: an older proxy does not say of which kind those are. */
export type KindEnd = Partial<DrainEndings & { readonly completed: number }>;

/** Objects of a store, each a list of records: `PREFIX000001.json` and on. */
export interface LooksIn {
  readonly prefix: string;
  readonly objects: number;
}

/** @param objects that the store has of the polls: more than the state knows, where a step died behind them */
export function buildEvidence(
  run: CutoverRun,
  outcome: Outcome,
  nowMs: number,
  objects: number = run.looks?.written ?? 0,
): Evidence {
  const failure = outcome === 'completed' ? undefined : findFailure(run);
  return {
    schema: EVIDENCE_SCHEMA,
    outcome,
    execution: run.execution,
    startedAt: run.startedAt,
    durationSeconds: Math.round((nowMs - Date.parse(run.startedAt)) / 100) / 10,
    plan: run.plan,
    stages: run.stages,
    drain: {
      [findDirection(run.plan).from]: run.drain?.active ?? NO_CONNECTIONS,
      atStart: run.drain?.atStart ?? NO_CONNECTIONS,
      unknownTasks: run.drain?.unknownTasks ?? 0,
      ...listEndings(run),
      ...listKinds(run.drain),
    },
    ...listMoves(run),
    ...(run.switches && { switches: run.switches }),
    ...listLooks(run, objects),
    ...listHooks(run, nowMs),
    ...(run.otherRulesChanged && { otherRulesChanged: run.otherRulesChanged }),
    ...(failure && { failure }),
    ...summarizeRollback(run, outcome),
    timeline: run.timeline,
  };
}

function listMoves(run: CutoverRun): Pick<Evidence, 'moves'> {
  const moves = summarizeMoves(run);
  return moves ? { moves } : {};
}

function listHooks({ hooks, hooking }: CutoverRun, nowMs: number): Pick<Evidence, 'hooks' | 'hooksLeftOut'> {
  const waited = recordWait(hooking ?? {}, nowMs);
  if (!hooks && waited.length === 0) return {};
  const { records, leftOut } = hooks ?? { records: [], leftOut: 0 };
  return { hooks: [...records, ...waited], ...(leftOut > 0 && { hooksLeftOut: leftOut }) };
}

function listLooks(
  { looks, execution }: CutoverRun,
  objects: number,
): Pick<Evidence, 'looks' | 'looksKept' | 'looksIn' | 'looksMissing'> {
  if (!looks) return {};
  const { records, written, lost, kept } = looks;
  return {
    // Those of a state that is older than the store are in the next object.
    looks: objects > written ? [] : records,
    ...(kept !== undefined && { looksKept: kept - lost }),
    ...(objects > 0 && { looksIn: { prefix: looksPrefix(execution), objects } }),
    ...(lost > 0 && { looksMissing: `${lost} polls could not be written while the store was away` }),
  };
}

/**
 * The evidence of the store with what its objects have.
 *
 * @param objects in their order; undefined of one that is gone, or is no list
 */
export function withLooks(given: Evidence, objects: readonly (readonly LookRecord[] | undefined)[]): Evidence {
  const { looksIn, looks = [], looksMissing, ...evidence } = given;
  if (!looksIn) return given;
  const missing = [looksMissing, describeGone(looksIn, objects)].filter((line) => line !== undefined);
  return {
    ...evidence,
    looks: [...objects.flatMap((records) => records ?? []), ...looks],
    ...(missing.length > 0 && { looksMissing: missing.join('; ') }),
  };
}

/** @returns undefined where none is */
function describeGone({ prefix, objects }: LooksIn, found: readonly unknown[]): string | undefined {
  const numbers = Array.from({ length: objects }, (_, index) => index + 1);
  const gone = numbers.filter((number) => found[number - 1] === undefined);
  const [first] = gone;
  return first === undefined
    ? undefined
    : `${gone.length} of ${objects} objects of polls must be in the store, got none or damaged ones, as '${looksKey(prefix, first)}'`;
}

/** A rollback that threw on its first go has left no record of its own: the exception tells that there was one. */
function summarizeRollback(run: CutoverRun, outcome: Outcome): Pick<Evidence, 'rollback'> {
  const error = outcome === 'failed' && run.failure && run.error ? `${run.error.Error}: ${run.error.Cause}` : undefined;
  if (!run.rollback && error === undefined) return {};
  const record = run.rollback ?? { startedAt: 'unknown' };
  return { rollback: error === undefined ? record : { ...record, error } };
}

function listEndings({ drain }: CutoverRun): DrainEndings & { completed: number } {
  if (!drain) return { completed: 0, moved: 0, closed: 0, forced: 0, lost: 0, unknown: 0 };
  const { moved, closed, forced, lost, unknown } = drain.ended;
  const gone = total(drain.atStart) + (drain.goneBefore ?? 0) - total(drain.active);
  // One that was moved back is live again, and had left as moved.
  const back = drain.moves ? sumCarried(drain.moves.seen.ended, 'movedBack') : 0;
  const completed = gone + back - moved - closed - forced - lost - unknown;
  // Connections that arrived during the drain (a request of a sticky client) may have been closed too.
  return { completed: Math.max(0, completed), moved, closed, forced, lost, unknown };
}

/** An ending whose kinds do not add up to all of it is unknown of each kind; and with it what ended by itself. */
function listKinds(drain: DrainProgress | undefined): Pick<Evidence['drain'], 'byKind'> {
  const { kinds } = drain ?? {};
  if (!drain || !kinds) return {};
  const known = KIND_ENDINGS.filter((ending) => sumEnding(kinds.ended, ending) === drain.ended[ending]);
  const find = (kind: ConnectionKind): KindEnd => {
    const ended = Object.fromEntries(known.map((ending) => [ending, kinds.ended[kind][ending]]));
    if (known.length < KIND_ENDINGS.length) return ended;
    const gone = drain.atStart[kind] + kinds.goneBefore[kind] - drain.active[kind];
    const back = drain.moves?.seen.ended[kind].movedBack ?? 0;
    const others = KIND_ENDINGS.reduce((sum, ending) => sum + kinds.ended[kind][ending], 0) - back;
    return { completed: Math.max(0, gone - others), ...ended };
  };
  return { byKind: eachKind(find) };
}
