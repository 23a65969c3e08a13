import { DEFAULT_DRAIN } from '../../core/proxy/admin-api';
import { ConnectionKind, STREAM_KINDS } from '../../core/proxy/connections';
import { nextCloseMs } from '../../core/proxy/drain';
import { findBucket } from '../../core/proxy/latency-buckets';
import { MoveFigures, MoveRejection, Moves, narrowMoves } from '../../core/moves/moves';
import { FIRST_PACE, findMoveLimit, paceAfter } from '../../core/moves/pace';
import type { Upstream } from '../data-plane/contract/data-plane';
import type { Ledger, LedgerEntry, Movable } from '../data-plane/contract/ledger';
import type { Clock } from '../process/clock';

/** Between two looks for connections to move while there are some, and while there are none. */
const LOOK_MS = 100;
const IDLE_LOOK_MS = 1_000;

/** A backend may be so because of all that are moved at once. */
const TOO_SLOW: readonly MoveRejection[] = ['noEnd', 'late', 'unreachable'];

export interface MoverOptions {
  readonly ledger: Ledger;
  readonly clock: Clock;
  /** What the setting allows. */
  readonly mode: Moves;
  /** At once; fewer while the messages of those that are moved wait for long. */
  readonly concurrency: number;
  /** Of those that must not stay, and cannot be moved. */
  readonly closeRatePerSecond: number;
  /** Of this proxy's own side: who is connected elsewhere is carried. */
  readonly own: Upstream;
  /** Of the switch that was committed last; undefined where there are no switches. */
  readonly epoch: () => number | undefined;
  /** Told of each connection that is not moved. */
  readonly rejected: (rejection: MoveRejection, kind: ConnectionKind) => void;
  /** Told of an error of our own. */
  readonly faulted: (error: unknown) => void;
}

/**
 * What asks for moves. A `retarget` and an `undrain` leave no connection where it was: what cannot be moved is closed in
 * order, paced. In a `drain` it has its time, and behind a `release` it stays.
 */
type Reason = 'retarget' | 'drain' | 'undrain' | 'release';

/** Where connections are to be. */
interface Goal {
  readonly by: Reason;
  readonly upstream: Upstream;
  readonly moves: Moves;
  /** Of the ledger's clock. A request that came before may still become a connection to where requests went. */
  readonly sinceMs: number;
  /** Those whose rejection was counted. */
  readonly counted: WeakSet<LedgerEntry>;
}

/** What a connection that leaves for another process has yet to follow. */
export interface PendingMove extends Pick<Goal, 'by' | 'upstream' | 'moves'> {
  /** It cannot be moved, and that was counted. */
  readonly isRejected: boolean;
}

/**
 * Moves live connections between upstreams, so many at a time. An order sets a goal, and each one replaces that before:
 * a connection that is under way goes to where the last one says.
 */
export class Mover {
  private goal: Goal | undefined;
  /** The goal, or the last one, which all have reached: who comes from another process may not have. */
  private last: Goal | undefined;
  /** No order has come since the start: what the other process was ordered is in force. */
  private followsPending = true;
  /** How far ahead the next look was when it was set. */
  private lookMs = Infinity;
  /** Where who is away goes, unless a later order says otherwise. */
  private wanted: Upstream;
  /** Those that wait for their turn, by the name of their pace. */
  private readonly queues = new Map<string, Set<LedgerEntry>>();
  private readonly underWay = new Map<LedgerEntry, string>();
  /** Out of their upstreams, for as long as a hold lasts. */
  private readonly away = new Set<LedgerEntry>();
  private readonly toClose = new Set<LedgerEntry>();
  /** Those that the hold in force has closed. */
  private closedInHold = new WeakSet<LedgerEntry>();
  /** Those that were carried before the hold in force. */
  private recalledInHold = new WeakSet<LedgerEntry>();
  /** Where requests went when the hold in force began. */
  private heldAt: Upstream | undefined;
  private readonly counts: Partial<Record<MoveRejection, number>> = {};
  private readonly stall: number[] = [];
  private longestStallMs = 0;
  private pace = FIRST_PACE;
  private cancelLook: () => void = () => undefined;
  private cancelClose: (() => void) | undefined;

  constructor(private readonly options: MoverOptions) {
    this.wanted = options.own;
  }

  get figures(): MoveFigures {
    return {
      rejected: { ...this.counts },
      stall: [...this.stall],
      longestStallMs: Math.round(this.longestStallMs),
      underWay: this.underWay.size + this.away.size,
    };
  }

  /**
   * Whether its backend is the other side's, and nothing is to end it or to take it from there. In a hold that is for the
   * hold to say: what is live then is what it waits for.
   */
  isElsewhere({ destination }: LedgerEntry): boolean {
    return this.heldAt === undefined && destination !== undefined && destination !== this.options.own;
  }

  /** Whether a connection is being moved, or waits for that, or is between two processes: no one else is to end it. */
  hasTaken(entry: LedgerEntry): boolean {
    if (entry.isInTransit || this.underWay.has(entry) || this.away.has(entry)) return true;
    for (const queue of this.queues.values()) if (queue.has(entry)) return true;
    return false;
  }

  /** Whether an order moves a connection, or closes it, in this process: it is of no use in another one until then. */
  isAwaited(entry: LedgerEntry): boolean {
    return this.toClose.has(entry) || this.hasTaken(entry);
  }

  /** All connections go to where requests go now. */
  retarget(upstream: Upstream, asked: Moves | undefined): void {
    this.wanted = upstream;
    const moves = narrowMoves(this.options.mode, asked);
    if (moves === 'none') this.forget();
    else this.aim('retarget', upstream, moves);
  }

  /** What can be moved leaves this side. @param other undefined where there is no other side to go to */
  drain(other: Upstream | undefined, asked: Moves | undefined): void {
    const moves = narrowMoves(this.options.mode, asked);
    if (other !== undefined && moves !== 'none') this.aim('drain', other, moves);
    else if (this.last?.by === 'drain') this.forget();
  }

  /** What was moved comes back; with none it stays where it is. */
  undrain(upstream: Upstream, asked: Moves | undefined): void {
    const moves = narrowMoves(this.options.mode, asked);
    if (moves !== 'none') this.aim('undrain', upstream, moves);
    else if (this.last?.by === 'drain') this.forget();
  }

  /** What was ordered until now says where requests go. Who comes from another process comes with what is ordered of it there. */
  started(): void {
    if (this.last?.by !== 'drain') this.forget();
    this.followsPending = true;
  }

  /** Undefined where there is nothing left to do with it. */
  findPending(entry: LedgerEntry): PendingMove | undefined {
    const { last } = this;
    if (last === undefined || entry.destination === last.upstream) return undefined;
    const { by, upstream, moves, counted } = last;
    return { by, upstream, moves, isRejected: counted.has(entry) };
  }

  /** It goes on here. An order that has come here is as new as that of the process that it comes from, or newer. */
  arrived(entry: LedgerEntry, pending: PendingMove | undefined): void {
    if (pending !== undefined && this.followsPending && !isSameGoal(this.last, pending)) this.setGoal(pending);
    const { last } = this;
    if (last === undefined || entry.destination === last.upstream) return;
    if (pending?.isRejected && isSameGoal(last, pending)) {
      last.counted.add(entry);
      if (leavesNone(last)) this.toClose.add(entry);
    }
    this.goal = last;
    if (this.lookMs > LOOK_MS) this.lookIn(LOOK_MS);
  }

  /** Who has left its upstream stays away until the end of the hold. */
  beginHold(upstream: Upstream): void {
    if (this.heldAt !== undefined) return;
    this.heldAt = upstream;
    this.closedInHold = new WeakSet();
    this.recalledInHold = new WeakSet();
  }

  /** Takes the connections out of their upstreams, or closes them; called again while the hold lasts. */
  leaveAll(asked: Moves | undefined, close: (entry: LedgerEntry) => void): void {
    const { ledger, mode } = this.options;
    const moves = narrowMoves(mode, asked);
    for (const kind of STREAM_KINDS) {
      // Who is connected to the other side is live until it has left that.
      for (const entry of ledger.carriedClosables(kind)) {
        if (this.hasTaken(entry)) continue;
        ledger.recall(entry, performance.now());
        this.recalledInHold.add(entry);
      }
      for (const entry of ledger.closables(kind)) {
        if (!this.hasTaken(entry) && !this.closedInHold.has(entry)) this.leaveOrClose(entry, moves, close);
      }
    }
    this.startNext();
  }

  private leaveOrClose(entry: LedgerEntry, moves: Moves, close: (entry: LedgerEntry) => void): void {
    const rejection = moves === 'none' ? 'off' : findRejection(entry, moves);
    if (rejection === undefined) return this.enqueue(entry);
    this.closedInHold.add(entry);
    close(entry);
    if (rejection !== 'off' && rejection !== 'closing') this.count(rejection, entry.kind);
  }

  /** The hold has ended: who is away goes to where requests go, and so does who can if that is elsewhere now. */
  endHold(upstream: Upstream): void {
    const { heldAt } = this;
    if (heldAt === undefined) return;
    this.heldAt = undefined;
    this.wanted = upstream;
    for (const entry of this.away) this.enqueue(entry);
    this.away.clear();
    const { mode } = this.options;
    if (upstream !== heldAt && mode !== 'none') this.aim('release', upstream, mode);
    this.startNext();
    this.carryWhatStayed();
  }

  /** Who came to the other side in the hold, and who was carried before it and has not left. */
  private carryWhatStayed(): void {
    const { ledger } = this.options;
    for (const kind of STREAM_KINDS) {
      for (const entry of ledger.closables(kind)) {
        if (this.hasTaken(entry) || !this.isElsewhere(entry)) continue;
        if (this.recalledInHold.has(entry)) ledger.carry(entry);
        else ledger.carryFromBeginning(entry);
      }
    }
  }

  /** Begins no move any more; the process is about to end. */
  stop(): void {
    this.forget();
    this.cancelClose?.();
  }

  /** The same goal again goes on. */
  private aim(by: Reason, upstream: Upstream, moves: Moves): void {
    this.setGoal({ by, upstream, moves });
    this.followsPending = false;
    this.look();
  }

  private setGoal(next: Pick<Goal, 'by' | 'upstream' | 'moves'>): void {
    const { by, upstream, moves } = next;
    const { goal } = this;
    const isSame = isSameGoal(goal, next);
    const counted = goal && isSame ? goal.counted : new WeakSet<LedgerEntry>();
    this.forget();
    this.goal = { by, upstream, moves, sinceMs: performance.now(), counted };
    this.last = this.goal;
    if (!isSame) this.pace = FIRST_PACE;
    this.wanted = upstream;
  }

  /** Those that have not begun stay where they are. */
  private forget(): void {
    this.stopLooking();
    this.goal = undefined;
    this.last = undefined;
    this.followsPending = false;
    this.toClose.clear();
    for (const queue of this.queues.values()) {
      for (const entry of queue) if (entry.movable?.isAway !== true) queue.delete(entry);
    }
  }

  private look(): void {
    const { goal } = this;
    if (goal === undefined) return;
    const { ledger } = this.options;
    let isThrough = true;
    for (const kind of STREAM_KINDS) {
      for (const entry of this.listCandidates(kind, goal)) isThrough = this.consider(entry, goal) && isThrough;
    }
    this.startNext();
    this.closeNext();
    const isBusy = this.underWay.size > 0 || this.toClose.size > 0;
    const nowMs = performance.now();
    if (isThrough && !isBusy && ledger.oldestMs(nowMs).http < nowMs - goal.sinceMs) this.goal = undefined;
    else this.lookIn(isBusy ? LOOK_MS : IDLE_LOOK_MS);
  }

  private lookIn(ms: number): void {
    this.stopLooking();
    this.lookMs = ms;
    this.cancelLook = this.options.clock.after(ms, () => {
      this.lookMs = Infinity;
      this.look();
    });
  }

  private stopLooking(): void {
    this.cancelLook();
    this.lookMs = Infinity;
  }

  private *listCandidates(kind: ConnectionKind, goal: Goal): Generator<LedgerEntry> {
    const { ledger } = this.options;
    if (goal.by !== 'undrain') yield* ledger.closables(kind);
    yield* ledger.carriedClosables(kind);
  }

  /** @returns whether nothing is left to do with it */
  private consider(entry: LedgerEntry, goal: Goal): boolean {
    if (entry.destination === goal.upstream) return true;
    if (this.hasTaken(entry)) return false;
    const rejection = findRejection(entry, goal.moves);
    if (rejection === undefined) this.enqueue(entry);
    else if (rejection !== 'closing') this.rejectOnce(entry, rejection, goal);
    return false;
  }

  private rejectOnce(entry: LedgerEntry, rejection: MoveRejection, goal: Goal): void {
    if (goal.counted.has(entry)) return;
    goal.counted.add(entry);
    this.count(rejection, entry.kind);
    if (leavesNone(goal)) this.toClose.add(entry);
  }

  private enqueue(entry: LedgerEntry): void {
    const name = entry.movable?.pace?.name ?? '';
    let queue = this.queues.get(name);
    if (queue === undefined) this.queues.set(name, (queue = new Set()));
    queue.add(entry);
  }

  private startNext(): void {
    for (const [name, queue] of this.queues) {
      for (const entry of queue) {
        const { movable } = entry;
        if (this.underWay.size >= this.findLimit(movable)) return;
        if (movable?.pace !== undefined && this.countUnderWay(name) >= movable.pace.concurrency) break;
        queue.delete(entry);
        if (movable === undefined || entry.next === undefined) continue;
        this.underWay.set(entry, name);
        void this.move(entry, movable)
          .catch(this.options.faulted)
          .finally(() => this.ended(entry));
      }
    }
  }

  /** In a hold all clients wait, whether their connections are under way or not: the more are, the sooner all have moved. */
  private findLimit(movable: Movable | undefined): number {
    const { concurrency } = this.options;
    if (this.heldAt !== undefined || movable?.isAway === true) return concurrency;
    let waiting = 0;
    for (const queue of this.queues.values()) waiting += queue.size;
    return findMoveLimit(this.pace, waiting, concurrency);
  }

  private ended(entry: LedgerEntry): void {
    this.underWay.delete(entry);
    this.startNext();
  }

  private countUnderWay(name: string): number {
    let count = 0;
    for (const other of this.underWay.values()) if (other === name) count += 1;
    return count;
  }

  private async move(entry: LedgerEntry, movable: Movable): Promise<void> {
    const { goal } = this;
    const wasAway = movable.isAway;
    const startMs = performance.now();
    const left = wasAway ? undefined : await movable.leave();
    if (left === undefined && this.heldAt !== undefined) return this.stayAway(entry);
    const upstream = this.wanted;
    const result = left ?? (await movable.join(upstream, this.options.epoch()));
    if (!wasAway) this.followPace(result, performance.now() - startMs);
    if (typeof result !== 'string') this.joined(entry, upstream, result.stallMs);
    else if (goal !== undefined && goal === this.goal) this.rejectOnce(entry, result, goal);
    else this.count(result, entry.kind);
  }

  private followPace(result: { readonly stallMs: number } | MoveRejection, tookMs: number): void {
    const { concurrency } = this.options;
    if (typeof result !== 'string') this.pace = paceAfter(this.pace, result.stallMs, tookMs, concurrency);
    else if (TOO_SLOW.includes(result)) this.pace = paceAfter(this.pace, Infinity, tookMs, concurrency);
  }

  /** It has no upstream: no one has to wait for it, and its client is here. */
  private stayAway(entry: LedgerEntry): void {
    this.options.ledger.carry(entry);
    this.away.add(entry);
  }

  private joined(entry: LedgerEntry, upstream: Upstream, stallMs: number): void {
    const { ledger, own } = this.options;
    if (upstream === own) ledger.recall(entry, performance.now());
    else ledger.carry(entry);
    this.longestStallMs = Math.max(this.longestStallMs, stallMs);
    const bucket = findBucket(stallMs);
    while (this.stall.length <= bucket) this.stall.push(0);
    this.stall[bucket]! += 1;
  }

  private count(rejection: MoveRejection, kind: ConnectionKind): void {
    this.counts[rejection] = (this.counts[rejection] ?? 0) + 1;
    this.options.rejected(rejection, kind);
  }

  private closeNext(): void {
    if (this.cancelClose !== undefined || this.toClose.size === 0) return;
    const [entry] = this.toClose;
    this.toClose.delete(entry!);
    if (entry!.next !== undefined) void entry!.close().catch(() => undefined);
    const { clock, closeRatePerSecond } = this.options;
    const waitMs = nextCloseMs({ ...DEFAULT_DRAIN, closeRatePerSecond }, clock.random());
    this.cancelClose = clock.after(waitMs, () => {
      this.cancelClose = undefined;
      this.closeNext();
    });
  }
}

/** What cannot be moved is closed. */
function leavesNone({ by }: Goal): boolean {
  return by === 'retarget' || by === 'undrain';
}

function isSameGoal(goal: Goal | undefined, other: Pick<Goal, 'by' | 'upstream' | 'moves'>): boolean {
  return goal?.by === other.by && goal.upstream === other.upstream && goal.moves === other.moves;
}

function findRejection(entry: LedgerEntry, moves: Moves): MoveRejection | undefined {
  const { movable } = entry;
  return movable === undefined ? 'kind' : movable.rejection(moves);
}
