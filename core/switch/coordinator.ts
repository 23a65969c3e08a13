import type { HoldReport } from '../proxy/hold';
import type { Decision } from './decision';
import type { Regime } from './regime';

/** What a lease must have left for a commit: the time in which the decision is written. */
export const LEASE_MARGIN_MS = 500;

/** What the coordinator knows of a member of the switch. Unknown is never zero: every part counts against a commit. */
export interface MemberView {
  /** `stopped`: ECS says that it has no process any more. */
  readonly life: 'running' | 'stopped';
  /** The process that the switch began with. */
  readonly instance: string;
  /** Absent of a task that did not respond. */
  readonly report?: MemberReport;
  /**
   * Its first process was seen holding, in this epoch, with nothing in flight: since then it can have sent nothing, whatever
   * became of it.
   */
  readonly wasEmpty: boolean;
  /** The backend's longest request time has passed since this member was last able to send it a request. */
  readonly hasOutlastedRequests: boolean;
}

export type HookState = 'none' | 'pending' | 'passed' | 'failed';

export interface MemberReport {
  readonly instance: string;
  readonly hold: Pick<HoldReport, 'state' | 'epoch' | 'leaseRemainingMs' | 'isOfSwitch'>;
  /** Live requests, connections and streams. */
  readonly inFlight: number;
  /** Requests that were given up before the backend had responded, and may still run there. */
  readonly abandoned: number;
  /** A part of the task was lost so shortly ago that what it had sent may still run. */
  readonly hasLost: boolean;
}

/**
 * `empty`: it holds, and nothing of it is at the backend. `busy`: it holds, and something is. `leaseShort`: the decision could
 * come after its lease. `notHolding`: it did not accept the hold, or holds no more. `unknown`: it does not respond. `gone`:
 * it has stopped, with nothing at the backend. `unaccounted`: its process ended, and what it had sent may still run.
 */
export type MemberState = 'empty' | 'busy' | 'leaseShort' | 'notHolding' | 'unknown' | 'gone' | 'unaccounted';

export interface SwitchRules {
  readonly epoch: number;
  /** A hook has fenced the backend that is left: what still runs there cannot write. */
  readonly isFenced: boolean;
  /**
   * Whether requests that were given up must have outlasted the backend's longest request time. Otherwise they are counted
   * apart: under constant traffic there is always one.
   */
  readonly waitsForAbandoned: boolean;
  /** What a lease must have left for a commit. */
  readonly leaseMarginMs: number;
}

export function assess(
  member: MemberView,
  { epoch, isFenced, leaseMarginMs, waitsForAbandoned }: SwitchRules,
): MemberState {
  const { life, instance, report, wasEmpty, hasOutlastedRequests } = member;
  const isAccounted = wasEmpty || isFenced || hasOutlastedRequests;
  if (life === 'stopped') return isAccounted ? 'gone' : 'unaccounted';
  if (!report) return 'unknown';
  // A task that was started anew holds by itself, and says nothing of what its first process had sent.
  if (report.instance !== instance && !isAccounted) return 'unaccounted';
  if (report.hasLost && !wasEmpty && !isFenced) return 'unaccounted';
  return assessReport(report, {
    epoch,
    leaseMarginMs,
    waitsForAbandoned: waitsForAbandoned && !isFenced && !hasOutlastedRequests,
  });
}

function assessReport(
  { hold, inFlight, abandoned }: MemberReport,
  { epoch, leaseMarginMs, waitsForAbandoned }: Omit<SwitchRules, 'isFenced'>,
): MemberState {
  // A hold that a person made may have the same epoch, and ends by itself.
  if (hold.state !== 'holding' || hold.epoch !== epoch || !hold.isOfSwitch) return 'notHolding';
  if (inFlight > 0 || (waitsForAbandoned && abandoned > 0)) return 'busy';
  return hold.leaseRemainingMs >= leaseMarginMs ? 'empty' : 'leaseShort';
}

/** What is left of the lease that expires first; undefined where no member that responds has one. */
export function findShortestLease(members: readonly MemberView[]): number | undefined {
  const leases = members.flatMap(({ life, report }) =>
    life === 'running' && report?.hold.state === 'holding' ? report.hold.leaseRemainingMs : [],
  );
  return leases.length === 0 ? undefined : Math.min(...leases);
}

/** A switch as the coordinator sees it. */
export interface SwitchView extends SwitchRules {
  /** As it is in the store. */
  readonly regime: Regime;
  /** Of the epoch of `regime`. */
  readonly decision: Decision | undefined;
  readonly members: readonly MemberView[];
  readonly hook: HookState;
  /** Whether the hook, once it has passed, is such a fence. */
  readonly hookFences: boolean;
  /** Why it must be given up: a person, an alarm, the longest pause. */
  readonly stop: string | undefined;
  /** Every member was told of the decision, or does not respond: it will ask for it. */
  readonly hasReleased: boolean;
}

/** What the coordinator does next. Each can be done twice, and by two coordinators. */
export type Move =
  /** Lists the tasks that forward to the side that is left, and writes them into the regime. */
  | { readonly kind: 'enlist' }
  /** Tells the members to hold, or renews their leases, and looks at them again. */
  | { readonly kind: 'hold' }
  | { readonly kind: 'hook' }
  /** Writes the decision, if there is none yet. */
  | { readonly kind: 'decide'; readonly outcome: 'commit' }
  | { readonly kind: 'decide'; readonly outcome: 'abort'; readonly why: string }
  /** Releases the members to where the decision says. */
  | { readonly kind: 'release' }
  /** Writes the regime that the decision leads to. */
  | { readonly kind: 'settle' }
  | { readonly kind: 'done' };

/**
 * The next move of the switch of `epoch`, by whichever call the moves before it were made.
 *
 * @throws Error when the regime is not that of this switch
 */
export function nextMove(view: SwitchView): Move {
  const { regime, decision, members, epoch, hook, stop } = view;
  if (regime.epoch !== epoch) throw new Error(`the regime must be of epoch ${epoch}, got ${regime.epoch}`);
  if (!regime.switching) return { kind: 'done' };
  if (!decision && !regime.switching.members && stop === undefined) return { kind: 'enlist' };
  if (decision) return { kind: view.hasReleased ? 'settle' : 'release' };
  // What the hook will fence is no obstacle to it: it runs first, and then counts, or aborts.
  const isFenced = view.isFenced || (hook === 'pending' && view.hookFences);
  const states = members.map((member) => assess(member, { ...view, isFenced }));
  const why = stop ?? findObstacle(states, hook);
  if (why !== undefined) return { kind: 'decide', outcome: 'abort', why };
  if (!states.every((state) => state === 'empty' || state === 'gone')) return { kind: 'hold' };
  if (hook === 'pending') return { kind: 'hook' };
  return { kind: 'decide', outcome: 'commit' };
}

/** What no waiting ends. */
function findObstacle(states: readonly MemberState[], hook: HookState): string | undefined {
  if (hook === 'failed') return 'the hook failed';
  const unaccounted = states.filter((state) => state === 'unaccounted').length;
  if (unaccounted === 0) return undefined;
  return `what a task of the side that is left had sent must be known to have ended, got ${unaccounted} ended with requests in flight`;
}
