import { ErrorCode } from '../errors/errors';
import { findDirection } from '../plan/direction';
import { Plan } from '../plan/plan';
import { Stage, findMaximumBake } from '../plan/stages';
import type { Side } from '../traffic/weights';
import { describeShare, mustProve } from './comparison';
import { Counted, findMissing } from './promotion';
import { SideCounts, computeDifference, pendingRequests } from './tally';
import { Sample, Watch, lastSample } from './watch';
import { wilsonLowerBound } from './wilson';

/** What one side did between two looks. */
export interface WindowCounts {
  readonly seconds: number;
  /** The traffic of clients: without the cutover's own smoke requests. */
  readonly requests: number;
  readonly responded: number;
  /** Failed requests, and connections that died with their task. */
  readonly errors: number;
  readonly tasksLost: number;
}

/** A reason to go back now. */
export interface Trip {
  readonly message: string;
}

export interface Lack {
  readonly code: Extract<ErrorCode, 'TooFewRequests' | 'TargetNotProven' | 'ShiftNotConfirmed'>;
  readonly message: string;
}

export type BakeVerdict = 'wait' | 'promote' | 'rollBack' | 'inconclusive';

/** The newest errors count by themselves, and not only in the average of a stage. Seconds. */
const SHORT_WINDOW_SECONDS = 60;
const LONG_WINDOW_SECONDS = 300;
/** A short window has at least this many looks in it. */
const SHORT_WINDOW_POLLS = 2;
/** The side that gets the traffic may be so much slower, cold as it is, before what it has not responded to counts against it. */
const PENDING_TOLERANCE = 3;
const ABANDONED_TOLERANCE = 2;
/** Where the side that is left has shown nothing, half of the other's requests may be in flight. */
const UNKNOWN_TOLERANCE = 0.5;

/**
 * Whether the errors of the side that gets the traffic end the cutover now: in the last minute, in the last five, or since the shift. It takes at
 * least `minimumErrors` of them, and an error rate over `maximumErrorRate` with 95 % confidence. Where the side that is left
 * exceeds it, too, the fault is behind both, and going back helps nothing: then the odds decide. Requests that were taken
 * and have no response count as errors, as far as those of the side that is left would have got theirs by now.
 */
export function breakerTrip(watch: Watch, plan: Plan): Trip | undefined {
  const { breaker } = plan;
  const stage = stageWindow(watch, plan);
  const windows = [shortWindow, longWindow, stageWindow];
  for (const read of windows) {
    const counts = read(watch, plan);
    const { seconds, errors, responded } = counts;
    if (isOverLimit(counts, plan) && !failsToo(watch, read, plan)) {
      return { message: rateMessage(plan, `${errors} errors in ${responded} responses in ${whole(seconds)} s`) };
    }
  }
  // Without knowing how long requests take, what has no response may only hold a promotion up.
  const missing = watch.habits ? unanswered(watch, plan) : 0;
  const failed = stage.errors + missing;
  if (missing === 0 || failed < breaker.minimumErrors) return undefined;
  if (wilsonLowerBound(failed, stage.requests) <= breaker.maximumErrorRate) return undefined;
  return { message: rateMessage(plan, unansweredText(stage)) };
}

/** The side that is left, in the same time; without anything to compare the breaker decides alone. */
function failsToo(watch: Watch, read: typeof stageWindow, plan: Plan): boolean {
  return watch.comparison !== undefined && isOverLimit(read(watch, plan, findDirection(plan).from), plan);
}

function isOverLimit({ errors, responded }: WindowCounts, { breaker }: Plan): boolean {
  return errors >= breaker.minimumErrors && wilsonLowerBound(errors, responded) > breaker.maximumErrorRate;
}

/**
 * What to do with a stage. The breaker decides at every look; a promotion needs the whole bake, enough responses, a
 * last minute and a stage that are within the error rate, and no arrivals against the weights. Else the bake goes on, up to its maximum.
 */
export function bakeVerdict(
  bake: { readonly elapsedSeconds: number; readonly stage: Stage; readonly canPromote: boolean },
  watch: Watch,
  plan: Plan,
): BakeVerdict {
  if (breakerTrip(watch, plan)) return 'rollBack';
  if (bake.elapsedSeconds < bake.stage.bakeSeconds) return 'wait';
  if (unproven(watch, plan) === undefined && bake.canPromote) return 'promote';
  return bake.elapsedSeconds < findMaximumBake(bake.stage) ? 'wait' : 'inconclusive';
}

/** What a promotion still lacks; undefined when it lacks nothing. */
export function unproven(watch: Watch, plan: Plan): Lack | undefined {
  const { breaker } = plan;
  const { to } = findDirection(plan);
  const stage = stageWindow(watch, plan);
  const missing = findMissing(plan.judge, { from: countFrom(watch, plan), to: countStage(stage) }, to);
  if (missing) return { code: missing.isOfNumber ? 'TooFewRequests' : 'TargetNotProven', message: missing.message };
  const short = shortWindow(watch, plan);
  for (const { errors, responded, requests, seconds } of [short, stage]) {
    if (errors > Math.max(responded, requests) * breaker.maximumErrorRate) {
      return notProven(rateMessage(plan, `${errors} errors in ${responded} responses in ${whole(seconds)} s`));
    }
  }
  if (stage.errors + unanswered(watch, plan) > stage.requests * breaker.maximumErrorRate) {
    return notProven(rateMessage(plan, unansweredText(stage)));
  }
  if (short.tasksLost > 0) {
    const rule = `no proxy of the ${to} must end unasked in the last ${whole(short.seconds)} s of a bake`;
    return notProven(`${rule}, got ${short.tasksLost}`);
  }
  return notInForce(watch);
}

/** Weights that read back may spread for a while: a stage that is as short goes on until what arrives has shown them. */
function notInForce({ comparison }: Watch): Lack | undefined {
  if (!comparison || !mustProve(comparison)) return undefined;
  return {
    code: 'ShiftNotConfirmed',
    message: `what arrives must prove that the weights are in force, got ${describeShare(comparison)}`,
  };
}

function countStage({ responded, errors }: WindowCounts): Counted {
  return { requests: responded, errors };
}

/**
 * Since the first shift: in the last stages the side that is left has little traffic, or none. Of the same counters as those of the
 * other side, which clients that try again raise alike. What died with a task of it does not excuse the other's errors.
 */
function countFrom(watch: Watch, plan: Plan): Counted {
  const { from } = findDirection(plan);
  const { [from]: counts, smoked } = lastSample(watch);
  return { requests: Math.max(0, counts.responded - smoked[from]), errors: counts.errors };
}

function notProven(message: string): Lack {
  return { code: 'TargetNotProven', message };
}

/** Since the shift of this stage. */
export function stageWindow(watch: Watch, plan: Plan, side?: Side): WindowCounts {
  return between(watch, plan, watch.samples[0], side);
}

function shortWindow(watch: Watch, plan: Plan, side?: Side): WindowCounts {
  return window(watch, Math.max(SHORT_WINDOW_SECONDS, SHORT_WINDOW_POLLS * plan.pollSeconds), plan, side);
}

function longWindow(watch: Watch, plan: Plan, side?: Side): WindowCounts {
  return window(watch, LONG_WINDOW_SECONDS, plan, side);
}

/** From the newest sample that is at least so old, or from the shift. */
function window(watch: Watch, seconds: number, plan: Plan, side?: Side): WindowCounts {
  const fromMs = lastSample(watch).atMs - seconds * 1000;
  const before = watch.samples.filter(({ atMs }) => atMs <= fromMs).at(-1);
  return between(watch, plan, before ?? watch.samples[0], side);
}

/** Of the side that gets the traffic, unless of the other. */
function between(
  watch: Watch,
  plan: Plan,
  first: Sample = lastSample(watch),
  side: Side = findDirection(plan).to,
): WindowCounts {
  const last = lastSample(watch);
  const { requests, responded, errors, lost, tasksLost }: SideCounts = computeDifference(last[side], first[side]);
  const smoked = last.smoked[side] - first.smoked[side];
  return {
    seconds: (last.atMs - first.atMs) / 1000,
    requests: Math.max(0, requests - smoked),
    responded: Math.max(0, responded - smoked),
    errors: errors + lost,
    tasksLost,
  };
}

/**
 * Requests of this stage without a response, beyond those that are in flight or whose clients left, were the side that gets
 * the traffic as the one that is left.
 */
function unanswered(watch: Watch, plan: Plan): number {
  const { seconds, requests, responded } = stageWindow(watch, plan);
  if (seconds <= 0) return 0;
  if (!watch.habits) return Math.max(0, Math.round(requests - responded - requests * UNKNOWN_TOLERANCE));
  const { requestSeconds, abandonedShare } = watch.habits;
  const inFlight = (requests / seconds) * requestSeconds;
  const left = requests * abandonedShare;
  // A look is no moment: some requests are taken and responded while the tasks are asked.
  const slack = 5 + Math.sqrt(Math.max(0, pendingRequests(watch.tallies[findDirection(plan).to])));
  const expected = PENDING_TOLERANCE * inFlight + ABANDONED_TOLERANCE * left + slack;
  return Math.max(0, Math.round(requests - responded - expected));
}

function unansweredText({ requests, responded, seconds }: WindowCounts): string {
  return `${requests - responded} of ${requests} requests without a response in ${whole(seconds)} s`;
}

function rateMessage(plan: Plan, got: string): string {
  return `the ${findDirection(plan).to}'s error rate must be at most ${plan.breaker.maximumErrorRate}, got ${got}`;
}

function whole(seconds: number): number {
  return Math.round(seconds);
}
