import type { Hold, HoldLimits, Outcomes } from '../proxy/hold';
import { Side, SIDES } from '../traffic/weights';

/**
 * Which backend serves. One object of the migration's store: the coordinator of a switch writes it, every proxy task reads it
 * before it reports healthy.
 */
export interface Regime {
  /** Of the last switch that was started; 0 before the first one. */
  readonly epoch: number;
  /** Of the last switch that was committed; 0 before the first one. Requests to a backend carry it. */
  readonly committed: number;
  /** The side that serves, or that served before the switch that is under way. */
  readonly side: Side;
  /**
   * Whether the proxies of both sides forward to `side`. Before the first switch each forwards to its own backend, so that
   * the target can be smoke-tested. After a commit a proxy of the other side must not serve its own backend, whatever the
   * weights say.
   */
  readonly isJoined: boolean;
  readonly switching?: Switching;
  /** The side that serves, where a hook may have left it frozen: its thaw failed, and has to be tried again. */
  readonly frozen?: Side;
}

/** The switch that is under way. */
export interface Switching {
  readonly to: Side;
  readonly execution: string;
  /** How long a task that starts meanwhile holds before it asks for an abort. */
  readonly leaseMs: number;
  readonly limits: HoldLimits;
  /**
   * The proxy tasks of both sides, listed after this regime was written; absent before. ECS lists a task before its container
   * starts: one that was not listed then reads this regime, and holds by itself. Those whose own backend is the one that is
   * switched to are among them: what they were told before may have been lost, and they must know the epoch afterwards.
   */
  readonly members?: readonly Member[];
}

/** A task, and the process that it was when the switch began. */
export interface Member {
  /** Unique among the tasks of both sides. */
  readonly id: string;
  readonly home: Side;
  /** `LedgerReport.instance`: another one after the loss of a worker, too, with which requests may have been lost. */
  readonly instance: string;
}

/** Where no switch has been yet. */
export const FIRST_REGIME: Regime = { epoch: 0, committed: 0, side: 'source', isJoined: false };

/** The backend that a task of a side forwards to while no switch is under way. */
export function findServedSide(home: Side, { side, isJoined }: Regime): Side {
  return isJoined ? side : home;
}

/** The regime while a switch is under way, or undefined where the last one is not decided. */
export function beginSwitch(regime: Regime, epoch: number, switching: Switching): Regime | undefined {
  if (regime.switching || epoch <= regime.epoch || switching.to === regime.side) return undefined;
  const { side, isJoined, committed } = regime;
  return { epoch, committed, side, isJoined, switching };
}

/** How a task starts that has read the regime: serving, or holding until the switch that is under way is decided. */
export function startUnder(regime: Regime, home: Side, nowMs: number): { hold: Hold; side: Side } {
  const side = findServedSide(home, regime);
  const { epoch, committed, switching } = regime;
  if (!switching) return { hold: { state: 'none', epoch, committed, releasedTo: undefined }, side };
  const { leaseMs, limits, to } = switching;
  const outcomes = findOutcomes(home, regime, to);
  const untilMs = nowMs + leaseMs;
  return { hold: { state: 'holding', epoch, committed, sinceMs: nowMs, untilMs, limits, outcomes }, side };
}

/** Where a task of a side forwards after either outcome of a switch. */
export function findOutcomes(home: Side, regime: Regime, to: Side): Outcomes {
  return { commit: to, abort: findServedSide(home, regime) };
}

/**
 * The regime after the decision of the switch that is under way.
 *
 * @param isThawed whether the side that serves is; without a hook it was never frozen
 */
export function settleRegime(regime: Regime, outcome: 'commit' | 'abort', isThawed = true): Regime {
  const { epoch, committed, side, isJoined, switching } = regime;
  const isOver = outcome === 'commit' && switching !== undefined;
  const next = isOver
    ? { epoch, committed: epoch, side: switching.to, isJoined: true }
    : { epoch, committed, side, isJoined };
  return isThawed ? next : { ...next, frozen: next.side };
}

/**
 * Reads the object of the store.
 *
 * @throws Error that names what is wrong; a regime that cannot be read is never taken for none
 */
export function parseRegime(text: string): Regime {
  const value = JSON.parse(text) as Partial<Regime> | null;
  const { epoch, committed, side, isJoined, switching, frozen } = value ?? {};
  const isWhole =
    Number.isSafeInteger(epoch) &&
    Number.isSafeInteger(committed) &&
    isSide(side) &&
    typeof isJoined === 'boolean' &&
    (frozen === undefined || isSide(frozen)) &&
    (switching === undefined || (switching.to !== side && isSwitching(switching)));
  if (!isWhole) throw new Error(`the regime in the store must be as drainshift wrote it, got ${text.slice(0, 200)}`);
  return value as Regime;
}

function isSwitching({ to, execution, leaseMs, limits, members }: Partial<Switching>): boolean {
  return (
    isSide(to) &&
    typeof execution === 'string' &&
    Number.isInteger(leaseMs) &&
    typeof limits === 'object' &&
    (members === undefined || Array.isArray(members))
  );
}

function isSide(side: unknown): boolean {
  return SIDES.includes(side as Side);
}
