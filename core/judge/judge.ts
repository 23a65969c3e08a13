import { ErrorCode } from '../errors/errors';
import { Breaker, MAX_BAKE, Plan } from '../plan/plan';
import { SideCounts, computeDifference, pendingRequests } from './tally';
import { Sample, Watch, lastSample } from './watch';

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
  readonly code: Extract<ErrorCode, 'TooFewRequests' | 'TargetNotProven'>;
  readonly message: string;
}

export type BakeVerdict = 'wait' | 'promote' | 'rollBack' | 'inconclusive';

/** The newest errors count by themselves, and not only in the average of a stage. Seconds. */
const SHORT_WINDOW_SECONDS = 60;
const LONG_WINDOW_SECONDS = 300;
/** A short window has at least this many looks in it. */
const SHORT_WINDOW_POLLS = 2;
/** A target may be so much slower than the source, cold as it is, before what it has not responded to counts against it. */
const PENDING_TOLERANCE = 3;
const ABANDONED_TOLERANCE = 2;
/** Where the source has shown nothing, half of the target's requests may be in flight. */
const UNKNOWN_TOLERANCE = 0.5;

/**
 * Whether the target's errors end the cutover now: in the last minute, in the last five, or since the shift. It takes at
 * least `minimumErrors` of them, and an error rate over `maximumErrorRate` with 95 % confidence. Requests that were taken
 * and have no response count as errors, as far as the source's own would have got its response by now.
 */
export function breakerTrip(watch: Watch, plan: Plan): Trip | undefined {
  const { breaker } = plan;
  const stage = stageWindow(watch);
  const windows = [shortWindow(watch, plan), window(watch, LONG_WINDOW_SECONDS), stage];
  for (const { seconds, errors, responded } of windows) {
    if (errors >= breaker.minimumErrors && wilsonLowerBound(errors, responded) > breaker.maximumErrorRate) {
      return { message: rateMessage(breaker, `${errors} errors in ${responded} responses in ${whole(seconds)} s`) };
    }
  }
  // Without knowing how long the source's requests take, what has no response may only hold a promotion up.
  const missing = watch.source ? unanswered(watch) : 0;
  const failed = stage.errors + missing;
  if (missing === 0 || failed < breaker.minimumErrors) return undefined;
  if (wilsonLowerBound(failed, stage.requests) <= breaker.maximumErrorRate) return undefined;
  return { message: rateMessage(breaker, unansweredText(stage)) };
}

/**
 * What to do with a stage. The breaker decides at every look; a promotion needs the whole bake, enough responses, and a
 * last minute and a stage that are within the error rate. Else the bake goes on, up to twice its length.
 */
export function bakeVerdict(
  bake: { readonly elapsedSeconds: number; readonly bakeSeconds: number; readonly canPromote: boolean },
  watch: Watch,
  plan: Plan,
): BakeVerdict {
  if (breakerTrip(watch, plan)) return 'rollBack';
  if (bake.elapsedSeconds < bake.bakeSeconds) return 'wait';
  if (unproven(watch, plan) === undefined && bake.canPromote) return 'promote';
  return bake.elapsedSeconds < bake.bakeSeconds * MAX_BAKE ? 'wait' : 'inconclusive';
}

/** What a promotion still lacks; undefined when it lacks nothing. */
export function unproven(watch: Watch, plan: Plan): Lack | undefined {
  const { breaker } = plan;
  const stage = stageWindow(watch);
  if (stage.responded < breaker.minimumRequests) {
    const message = `the target must respond to at least ${breaker.minimumRequests} requests in a bake, got ${stage.responded}`;
    return { code: 'TooFewRequests', message };
  }
  const short = shortWindow(watch, plan);
  for (const { errors, responded, requests, seconds } of [short, stage]) {
    if (errors > Math.max(responded, requests) * breaker.maximumErrorRate) {
      return notProven(rateMessage(breaker, `${errors} errors in ${responded} responses in ${whole(seconds)} s`));
    }
  }
  if (stage.errors + unanswered(watch) > stage.requests * breaker.maximumErrorRate) {
    return notProven(rateMessage(breaker, unansweredText(stage)));
  }
  if (short.tasksLost === 0) return undefined;
  const rule = `no proxy of the target must end unasked in the last ${whole(short.seconds)} s of a bake`;
  return notProven(`${rule}, got ${short.tasksLost}`);
}

function notProven(message: string): Lack {
  return { code: 'TargetNotProven', message };
}

/** Since the shift of this stage. */
export function stageWindow(watch: Watch): WindowCounts {
  return between(watch, watch.samples[0]);
}

function shortWindow(watch: Watch, { pollSeconds }: Plan): WindowCounts {
  return window(watch, Math.max(SHORT_WINDOW_SECONDS, SHORT_WINDOW_POLLS * pollSeconds));
}

/** From the newest sample that is at least so old, or from the shift. */
function window(watch: Watch, seconds: number): WindowCounts {
  const fromMs = lastSample(watch).atMs - seconds * 1000;
  const before = watch.samples.filter(({ atMs }) => atMs <= fromMs).at(-1);
  return between(watch, before ?? watch.samples[0]);
}

function between(watch: Watch, first: Sample = lastSample(watch)): WindowCounts {
  const last = lastSample(watch);
  const { requests, responded, errors, lost, tasksLost }: SideCounts = computeDifference(last.target, first.target);
  const smoked = last.smoked.target - first.smoked.target;
  return {
    seconds: (last.atMs - first.atMs) / 1000,
    requests: Math.max(0, requests - smoked),
    responded: Math.max(0, responded - smoked),
    errors: errors + lost,
    tasksLost,
  };
}

/**
 * Requests of this stage without a response, beyond those that are in flight or whose clients left, were the target as
 * the source is.
 */
function unanswered(watch: Watch): number {
  const { seconds, requests, responded } = stageWindow(watch);
  if (seconds <= 0) return 0;
  if (!watch.source) return Math.max(0, Math.round(requests - responded - requests * UNKNOWN_TOLERANCE));
  const { requestSeconds, abandonedShare } = watch.source;
  const inFlight = (requests / seconds) * requestSeconds;
  const left = requests * abandonedShare;
  // A look is no moment: some requests are taken and responded while the tasks are asked.
  const slack = 5 + Math.sqrt(Math.max(0, pendingRequests(watch.tallies.target)));
  const expected = PENDING_TOLERANCE * inFlight + ABANDONED_TOLERANCE * left + slack;
  return Math.max(0, Math.round(requests - responded - expected));
}

function unansweredText({ requests, responded, seconds }: WindowCounts): string {
  return `${requests - responded} of ${requests} requests without a response in ${whole(seconds)} s`;
}

function rateMessage({ maximumErrorRate }: Breaker, got: string): string {
  return `the target's error rate must be at most ${maximumErrorRate}, got ${got}`;
}

function whole(seconds: number): number {
  return Math.round(seconds);
}

/**
 * The lower end of the 95 % Wilson score interval of a proportion.
 *
 * @see E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927)
 */
export function wilsonLowerBound(successes: number, trials: number): number {
  if (trials === 0) return successes > 0 ? 1 : 0;
  if (successes > trials) return wilsonLowerBound(trials, trials);
  const z = 1.96;
  const p = successes / trials;
  const z2 = z * z;
  const centre = p + z2 / (2 * trials);
  const margin = z * Math.sqrt((p * (1 - p)) / trials + z2 / (4 * trials * trials));
  return (centre - margin) / (1 + z2 / trials);
}
