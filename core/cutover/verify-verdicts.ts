import type { BakeRecord, LookRecord, PollRecord } from '../judge/look-record';
import { OutOfOrder, checkOrder } from '../judge/look-order';
import { judgeFigures } from '../judge/figures';
import { summarizeStall } from '../judge/stall';
import { Recomputed, Replay, Replayed, compareVerdict, replayEach, requireJudge, summarize } from '../judge/replay';
import type { Plan } from '../plan/plan';
import { printable } from '../text/one-line';
import { own } from '../validation/own';
import { EvidenceUnreadable, asObject, sameJson, showShort } from '../validation/shapes';
import { JudgedEvidence, readEvidence, readJudgedEvidence } from './read-evidence';
import type { Failure, StageRecord, TimelineEntry } from './run';
import { describeInconclusive, describeJudged, summarizeObserved } from './stage';

export interface VerdictCheck extends Replay {
  /** What the evidence says of its stages, its failure and its outcome, and its records do not; one line each. */
  readonly contradictions: readonly string[];
  /** What must be on record, and is not; one line each. */
  readonly missing: readonly string[];
}

/**
 * Computes every verdict of the judge again, and holds what the evidence says came of them against it: each stage that was promoted,
 * the failure that it rolled back with, and the outcome.
 *
 * @param value the evidence as JSON
 * @throws EvidenceUnreadable of what is no evidence, or has lost its form
 * @throws RangeError of that of another judge
 */
export function verifyVerdicts(value: unknown): VerdictCheck {
  checkJudge(readEvidence(value).looks);
  const evidence = readJudgedEvidence(value);
  const { looks = [], looksIn, looksKept = 0, looksMissing, outcome } = evidence;
  const missing = looksMissing === undefined ? [] : [looksMissing];
  if (looksIn) {
    const advice = "'drainshift evidence' fetches them";
    missing.push(`${looksIn.objects} objects of the store at '${looksIn.prefix}' must be in 'looks': ${advice}`);
  } else if (looks.length < looksKept) {
    missing.push(`'looks' must have ${looksKept} records, got ${looks.length}`);
  }
  // Without them, as with what the store alone has, nothing can be computed.
  if (looks.length === 0 || looksIn) {
    const none = `'looks' must have what the judge was given, got none${outcome === 'refused' ? ': nothing was shifted' : ''}`;
    return { ...summarize([], []), contradictions: [], missing: looksIn ? missing : [...missing, none] };
  }
  missing.push(...readOrder(looks));
  const recorded = new Recorded(evidence.plan);
  const all: Recomputed[] = [];
  for (const each of replayEach(evidence.plan, looks)) {
    all.push(...[compareVerdict(each, evidence.plan) ?? []].flat());
    recorded.add(each);
  }
  const check = new Check(evidence, recorded);
  check.run();
  return {
    ...summarize(looks, all),
    contradictions: check.contradictions,
    missing: [...missing, ...check.missing],
  };
}

/** What another release wrote may have other forms: it is not damaged. */
function checkJudge(looks: unknown): void {
  const first = Array.isArray(looks) ? asObject(looks[0]) : undefined;
  const judge = first && own(first, 'judge');
  if (first?.['kind'] === 'begin' && (judge === undefined || typeof judge === 'number')) {
    requireJudge(judge === undefined ? {} : { judge });
  }
}

/** Records in another order are no record at all: nothing that follows would say anything. */
function readOrder(looks: readonly LookRecord[]): string[] {
  try {
    return checkOrder(looks);
  } catch (error) {
    throw error instanceof OutOfOrder ? new EvidenceUnreadable(error.message) : error;
  }
}

/** What a bake came to, by the record of it and of all before it. */
interface Baked {
  readonly record: BakeRecord;
  readonly figures: ReturnType<typeof summarizeObserved>;
  readonly judged: ReturnType<typeof describeJudged>;
}

/** What the records tell, computed again: of each stage, and of what spoke against going on. */
class Recorded {
  /** The stages that were shifted, from 0. */
  readonly shifted = new Set<number>();
  readonly baked = new Map<number, Baked>();
  /** What both sides had done at the shift of the last stage, and after each poll of it. */
  figures: Baked['figures'][] = [];
  /** When a person said that what was seen until then is good. */
  readonly restarts: number[] = [];
  /** What would end the cutover, in its order. */
  readonly reasons: (Failure & { readonly record: PollRecord | BakeRecord })[] = [];
  readonly polls: PollRecord[] = [];

  constructor(private readonly plan: Plan) {}

  add({ record, watch, stage }: Replayed): void {
    const { plan } = this;
    if (record.kind === 'restart') this.restarts.push(record.at);
    if (record.kind === 'shift') {
      this.shifted.add(stage);
      this.figures = [summarizeObserved(watch)];
    }
    if (record.kind === 'poll') {
      this.polls.push(record);
      this.figures.push(summarizeObserved(watch));
      const judgement = record.said === undefined ? undefined : judgeFigures(watch, plan, record.isConfirmed);
      if (judgement) this.reasons.push({ ...judgement, record });
    }
    if (record.kind === 'bake') {
      this.baked.set(stage, { record, figures: summarizeObserved(watch), judged: describeJudged(watch, plan) });
      if (record.verdict !== 'promote') this.reasons.push({ ...describeEnd(record, { watch, stage, plan }), record });
    }
  }
}

function describeEnd(
  { verdict }: BakeRecord,
  { watch, plan }: Pick<Replayed, 'watch' | 'stage'> & { readonly plan: Plan },
): Failure {
  if (verdict === 'inconclusive') return describeInconclusive(watch, plan);
  return { code: 'BreakerTripped', message: judgeFigures(watch, plan, true)?.message ?? 'the breaker tripped' };
}

/** The verdicts of the judge. Whatever else ends a cutover leaves no figures that could be computed again. */
const OF_JUDGE: readonly string[] = ['TargetWorse', 'BreakerTripped', 'TooFewRequests', 'TargetNotProven'];
const OF_ARRIVALS = 'ShiftNotConfirmed';
/** The weights did not read back: the load balancer's word, and not that of what arrived. */
const NOT_READ_BACK = /^the weights must read back within /;
/** A rollback that did not end as it should ends with a reason of its own. */
const OF_ROLLBACK: readonly string[] = ['RollbackUnsafe', 'RollbackNotConfirmed', 'LockLost'];
const STOPPED = /^the execution '.*' ended as /;
const ASKED = /; a person was asked, and it was .*$/s;

/** Holds what the evidence says against what its records tell. */
class Check {
  readonly contradictions: string[] = [];
  readonly missing: string[] = [];
  private readonly stages: readonly StageRecord[];
  private readonly timeline: readonly TimelineEntry[];

  constructor(
    private readonly evidence: JudgedEvidence,
    private readonly recorded: Recorded,
  ) {
    this.stages = evidence.stages ?? [];
    this.timeline = evidence.timeline ?? [];
  }

  run(): void {
    for (const name of ['outcome', 'stages', 'timeline'] as const) {
      if (this.evidence[name] === undefined) this.missing.push(`'${name}' must be there, got nothing`);
    }
    this.stages.forEach((stage, at) => this.checkStage(stage, at));
    this.checkBaked();
    this.checkPolls();
    this.checkRestarts();
    this.checkFailure();
    this.checkOutcome();
    this.checkMoves();
  }

  /** How long clients waited follows from how many waited how long. */
  private checkMoves(): void {
    const { moves } = this.evidence;
    if (!moves) return;
    const { stall, stallCounts } = moves;
    this.must('moves.stall', summarizeStall(stallCounts, stall?.longestMs ?? 0), stall);
  }

  private must(name: string, expected: unknown, got: unknown): void {
    if (sameJson(JSON.parse(JSON.stringify(expected ?? null)), got ?? null)) return;
    this.contradictions.push(`'${name}' must be ${showShort(expected)}, as the records say, got ${showShort(got)}`);
  }

  private find(state: string, stage: number): TimelineEntry | undefined {
    return this.timeline.findLast((entry) => entry.state === state && entry.detail['stage'] === stage + 1);
  }

  private checkStage(stage: StageRecord, at: number): void {
    const { recorded, evidence } = this;
    const planned = evidence.plan.stages[at];
    const name = `stages[${at}]`;
    if (!planned) {
      this.contradictions.push(`'${name}' must be one of the ${evidence.plan.stages.length} of the plan`);
      return;
    }
    this.must(`${name}.weights`, planned.weights, stage.weights);
    const shift = this.find('Shift', at);
    const bake = this.find('Bake', at);
    const isBaked = stage.verdict !== 'rollBack' || bake !== undefined;
    if (!recorded.shifted.has(at) && (shift || isBaked))
      this.missing.push(`the record of the shift of stage ${at + 1}`);
    // An execution that was stopped left what it had saved before the shift.
    if (!shift && (isBaked || stage.confirmed)) this.missing.push(`the shift of stage ${at + 1} in 'timeline'`);
    if (shift) this.must(`timeline: Shift of stage ${at + 1}: weights`, planned.weights, shift.detail['weights']);
    if (isBaked) this.checkBake(stage, at, bake);
    else this.checkInterrupted(stage, at);
    this.checkTimes(stage, at, bake ?? this.timeline.find(isRollback));
  }

  /** A stage that was ended by its bake. */
  private checkBake(stage: StageRecord, at: number, entry: TimelineEntry | undefined): void {
    const name = `stages[${at}]`;
    const baked = this.recorded.baked.get(at);
    if (!baked) return void this.missing.push(`the record of the bake that ended stage ${at + 1} (${stage.verdict})`);
    const { record, figures, judged } = baked;
    this.must(`${name}.verdict`, record.verdict, stage.verdict);
    for (const key of ['observed', 'errors', 'lost', 'tasksLost'] as const)
      this.must(`${name}.${key}`, figures[key], stage[key]);
    this.must(`${name}.judge`, judged.judge, stage.judge);
    if (!entry) return void this.missing.push(`the bake of stage ${at + 1} in 'timeline'`);
    const said = { stage: at + 1, verdict: record.verdict, ...figures };
    this.must(`timeline: Bake of stage ${at + 1}`, said, entry.detail);
  }

  /** One that something else ended: with what a poll of it has seen, which is the last one unless a step died or was stopped. */
  private checkInterrupted({ observed, errors, lost, tasksLost }: StageRecord, at: number): void {
    const { figures, shifted } = this.recorded;
    if (!shifted.has(at) || shifted.has(at + 1) || figures.length === 0) return;
    const seen = { observed, errors, lost, tasksLost };
    if (figures.some((each) => sameJson(each, seen))) return;
    this.must(`stages[${at}]`, figures.at(-1), seen);
  }

  private checkTimes(stage: StageRecord, at: number, end: TimelineEntry | undefined): void {
    const shift = this.find('Shift', at);
    const confirm = this.find('Confirm', at);
    const name = `stages[${at}]`;
    this.must(`${name}.confirmed`, confirm !== undefined, stage.confirmed);
    this.must(`${name}.confirmSeconds`, confirm?.detail['seconds'], stage.confirmSeconds);
    if (shift && end) this.must(`${name}.seconds`, (Date.parse(end.at) - Date.parse(shift.at)) / 1000, stage.seconds);
  }

  /** What records and timeline have of stages that the evidence does not. */
  private checkBaked(): void {
    // The stage that was under way when something else ended the cutover has its record, too.
    const ends = this.timeline.some(isRollback) ? ['Bake', 'Shift'] : ['Bake'];
    const inTimeline = this.timeline.filter(({ state }) => ends.includes(state)).map(({ detail }) => detail['stage']);
    // Of an execution that was stopped, or whose step died, the store has more than the state that was left.
    const inRecords = this.isRecordedEnd() ? [...this.recorded.baked.keys()].map((at) => at + 1) : [];
    for (const stage of new Set([...inTimeline, ...inRecords])) {
      if (typeof stage !== 'number' || stage > this.stages.length) {
        this.missing.push(`what became of stage ${showShort(stage)} in 'stages'`);
      }
    }
  }

  /** Whether the last record is that of the end: of a poll that ended it, or of one of a cutover that completed. */
  private isRecordedEnd(): boolean {
    const last = this.recorded.polls.at(-1);
    return this.evidence.outcome === 'completed' || last?.found !== undefined || last?.said !== undefined;
  }

  /** A poll that ends the cutover is the last one. */
  private checkPolls(): void {
    const { onFailure } = this.evidence.plan.judge;
    for (const { found, said, at } of this.recorded.polls.slice(0, -1)) {
      const end = found ?? (onFailure === 'rollBack' ? said : undefined);
      if (end !== undefined)
        this.contradictions.push(`the poll at ${iso(at)} must be the last one, because it ended the cutover: ${end}`);
    }
  }

  private isApproved(at: (ms: number) => boolean): boolean {
    return this.timeline.some(
      (entry) =>
        entry.state === 'Approve' &&
        entry.detail['verdict'] === 'approved' &&
        String(entry.detail['gate']).startsWith('judge') &&
        at(Date.parse(entry.at)),
    );
  }

  private checkRestarts(): void {
    for (const restart of this.recorded.restarts) {
      if (!this.isApproved((ms) => ms === restart))
        this.missing.push(`the approval at ${iso(restart)} in 'timeline', from which the odds start again`);
    }
    for (const [stage, { record }] of this.recorded.baked) {
      const goesOn = this.recorded.shifted.has(stage + 1) || this.evidence.outcome === 'completed';
      if (record.verdict === 'rollBack' && goesOn)
        this.contradictions.push(`the bake of stage ${stage + 1} must end the cutover, because it failed`);
      if (record.verdict === 'inconclusive' && goesOn && !this.isApproved((ms) => ms >= record.at))
        this.missing.push(`the approval behind the bake of stage ${stage + 1} in 'timeline', which proved nothing`);
    }
  }

  private checkFailure(): void {
    const { failure, outcome } = this.evidence;
    if (outcome === undefined) return;
    const because = this.timeline.find(isRollback)?.detail['because'] as Failure | undefined;
    if (outcome === 'completed') {
      if (failure) this.contradictions.push(`'failure' must be absent of what completed, got ${showShort(failure)}`);
      return;
    }
    if (!failure) return void this.missing.push(`'failure' must say why it ended as '${outcome}', got nothing`);
    if (because && !sameJson(because, failure) && !isOfRollback(failure)) {
      this.contradictions.push(
        `'failure' must be that of the rollback in 'timeline' (${showShort(because)}), got ${showShort(failure)}`,
      );
    }
    const cause = because ?? failure;
    if (typeof cause.code !== 'string' || typeof cause.message !== 'string') {
      this.contradictions.push(`'timeline' must say why it rolled back, got ${showShort(because)}`);
    } else this.checkCause(cause);
  }

  /** Why it rolled back, by the record that made it do so. */
  private checkCause(cause: Failure): void {
    const last = this.recorded.polls.at(-1);
    if (last?.found !== undefined) return this.must('failure.code', last.found, cause.code);
    const message = cause.message.replace(ASKED, '');
    const ending = this.findEnding();
    // A person was asked about an earlier one.
    const candidates = message === cause.message ? [ending] : this.recorded.reasons;
    if (candidates.some((each) => each?.code === cause.code && printable(each.message) === message)) return;
    const isOfArrivals = cause.code === OF_ARRIVALS && !NOT_READ_BACK.test(message);
    if (ending && this.evidence.plan.judge.onFailure === 'rollBack' && !isOfRollback(cause)) {
      const expected = { code: ending.code, message: printable(ending.message) };
      this.must('failure', expected, { code: cause.code, message: cause.message });
    } else if (OF_JUDGE.includes(cause.code) || isOfArrivals) {
      this.missing.push(`the record of ${cause.code}: ${showShort(cause.message)}`);
    }
  }

  /** What spoke against going on at the last poll, or at the bake that rests on it. */
  private findEnding(): Failure | undefined {
    const ending = this.recorded.reasons.at(-1);
    return ending?.record.at === this.recorded.polls.at(-1)?.at ? ending : undefined;
  }

  private checkOutcome(): void {
    const { outcome, rollback, plan } = this.evidence;
    if (outcome === undefined) return;
    const recorded = this.timeline.findLast(({ state }) => state === 'Record')?.detail['outcome'];
    const isCompleted = ['Verify', 'Complete'].every((name) => this.timeline.some(({ state }) => state === name));
    if (recorded !== undefined) this.must('outcome', recorded, outcome);
    else if (outcome !== 'completed' || !isCompleted) this.missing.push(`the end as '${outcome}' in 'timeline'`);
    if (outcome === 'refused' && this.recorded.shifted.size > 0)
      this.contradictions.push("'outcome' must not be refused, because a stage was shifted");
    if (outcome === 'rolled-back' && rollback?.restoredAt === undefined)
      this.missing.push("'rollback.restoredAt' must say when it was rolled back, got nothing");
    if (outcome === 'completed') this.checkCompleted(plan);
  }

  private checkCompleted({ stages }: Plan): void {
    const { rollback } = this.evidence;
    if (rollback) this.contradictions.push(`'rollback' must be absent of what completed, got ${showShort(rollback)}`);
    const last = this.recorded.polls.at(-1);
    const end = last?.found ?? (this.evidence.plan.judge.onFailure === 'rollBack' ? last?.said : undefined);
    if (end !== undefined) this.contradictions.push(`'outcome' must not be completed, because of ${end}`);
    stages.forEach((_, at) => {
      const stage = this.stages[at];
      if (!stage) this.missing.push(`'stages[${at}]' must be there of what completed, got nothing`);
      else if (stage.verdict === 'rollBack')
        this.contradictions.push(`'stages[${at}].verdict' must be promote of what completed, got rollBack`);
    });
  }
}

function isRollback({ state, detail }: TimelineEntry): boolean {
  return state === 'Rollback' && detail['because'] !== undefined;
}

function isOfRollback({ code, message }: Failure): boolean {
  return OF_ROLLBACK.includes(code) || (code === 'Aborted' && STOPPED.test(message));
}

function iso(atMs: number): string {
  return new Date(atMs).toISOString();
}
