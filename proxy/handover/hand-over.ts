import { STAY_REASONS, type Departure, type Handing, type StayReason } from '../data-plane/contract/handover';
import type { Clock } from '../process/clock';
import type { HandoverAddress } from './messages';
import { Sender, SenderEvents } from './sender';

export interface HandOverOptions {
  readonly plane: { readonly handing: Handing; setHandingOver(isHandingOver: boolean): void };
  readonly clock: Clock;
  readonly log: {
    info(figures: object, message: string): void;
    warn(figures: object, message: string): void;
  };
}

/** What has left this process, and why the rest has not. */
export interface HandOverFigures {
  readonly handedOver: { readonly idle: number; readonly upgraded: number; readonly streams: number };
  /** Of these, those whose bytes pass through this process, or an older one, for as long as they are open. */
  readonly pumped: number;
  /** As of the last look, but for those that are 0. */
  readonly stays: Readonly<Partial<Record<StayReason, number>>>;
  /** For how long one that was handed over had no reader at most. */
  readonly longestMs: number;
}

const COUNTED_AS = { http1: 'idle', upgrade: 'upgraded', stream: 'streams', accepted: 'idle' } as const;
/** Requests end in this process; their connections are looked at again so often. */
const LOOK_MS = 50;
/** A process that has no room for one may have it later. */
const REJECTED_MS = 1_000;
const LATE = 'A process of the new generation does not respond: connections go on here until one does';

/**
 * Gives the connections of this process to those of the next generation, while there are both: at first all that wait for nothing, and
 * later each when its request has ended.
 */
export class HandOver implements SenderEvents {
  /**
   * Resolves when all connections were looked at once, and none is under way. While the other side does not respond, none of them has
   * been: they go on here.
   */
  readonly swept: Promise<HandOverFigures>;
  private tellSwept: (figures: HandOverFigures) => void = () => undefined;
  private readonly senders: Sender[] = [];
  private readonly known = new Set<string>();
  private connecting = 0;
  /** A process of the new generation has let this one in. */
  hasStarted = false;
  /** Some came back, and have not been looked at since. */
  private isOwed = false;
  private hasWarnedOfLate = false;
  private walk: Iterator<Departure> | undefined;
  private stays = noStays();
  private lastStays = noStays();
  private pumped = 0;
  private readonly counts = { idle: 0, upgraded: 0, streams: 0 };
  private rejectedUntilMs = -Infinity;
  private lastRejection = '';
  private sweeps = 0;
  private state: 'waiting' | 'offering' | 'stopped' = 'waiting';
  private cancelLook: () => void = () => undefined;

  constructor(
    addresses: readonly HandoverAddress[],
    private readonly options: HandOverOptions,
  ) {
    this.swept = new Promise((resolve) => (this.tellSwept = resolve));
    this.add(addresses);
  }

  /**
   * Further processes that take them, in the place of others.
   *
   * @returns whether they are tried; false when it has stopped
   */
  add(addresses: readonly HandoverAddress[]): boolean {
    if (this.state === 'stopped') return false;
    // One that stands still keeps none of the others waiting.
    for (const address of addresses) if (!this.known.has(address.path)) void this.connect(address);
    return true;
  }

  private async connect(address: HandoverAddress): Promise<void> {
    const { clock, log } = this.options;
    this.known.add(address.path);
    this.connecting += 1;
    try {
      this.senders.push(await Sender.connect(address, clock, this));
      this.start();
    } catch (error) {
      log.warn({ why: (error as Error).message }, 'A process of the new generation takes no connections over');
    } finally {
      this.connecting -= 1;
    }
    if (this.state === 'stopped') for (const sender of this.senders) if (sender.size === 0) sender.close();
    this.ready();
  }

  /** There is a process that takes them. */
  private start(): void {
    if (this.state === 'stopped' || this.hasStarted) return;
    this.hasStarted = true;
    this.options.plane.setHandingOver(true);
  }

  /** No process that lives takes any now: what could go is not to end here. */
  get isLate(): boolean {
    if (this.state === 'stopped') return false;
    const living = this.senders.filter(({ isOver }) => !isOver);
    return living.length === 0 ? this.connecting > 0 : living.every((sender) => sender.isLate);
  }

  get figures(): HandOverFigures {
    const stays = Object.entries(this.sweeps > 0 ? this.lastStays : this.stays).filter(([, count]) => count > 0);
    return {
      handedOver: { ...this.counts },
      pumped: this.pumped,
      stays: Object.fromEntries(stays),
      longestMs: Math.round(Math.max(0, ...this.senders.map(({ longestMs }) => longestMs))),
    };
  }

  /** Nothing more leaves. What is under way goes on in the other process when this one ends. */
  stop(): void {
    if (this.state === 'stopped') return;
    this.state = 'stopped';
    this.cancelLook();
    this.options.plane.setHandingOver(false);
    if (this.underWay === 0) for (const sender of this.senders) sender.close();
    this.tellSwept(this.figures);
  }

  // What the senders tell.

  handedOver(departure: Departure): void {
    const { type, ends } = departure.data;
    this.counts[COUNTED_AS[type]] += 1;
    if ([...ends].some(({ pumped }) => pumped !== undefined)) this.pumped += 1;
  }

  late(): void {
    if (!this.hasWarnedOfLate) this.options.log.warn({}, LATE);
    this.hasWarnedOfLate = true;
  }

  kept(): void {
    this.isOwed = true;
  }

  rejected(_: Departure, why: string): void {
    this.rejectedUntilMs = this.options.clock.nowMs() + REJECTED_MS;
    if (why !== this.lastRejection) this.options.log.warn({ why }, 'The new generation did not take a connection over');
    this.lastRejection = why;
  }

  ready(): void {
    if (this.state !== 'waiting') return;
    if (this.connecting === 0 && this.senders.every(({ isOver }) => isOver)) return this.giveUp();
    this.state = 'offering';
    try {
      while (this.offerNext());
    } finally {
      this.state = 'waiting';
    }
    const isAtEnd = this.walk === undefined && this.underWay === 0 && !this.isOwed;
    const isSwept = isAtEnd && !this.options.plane.handing.isPreparing;
    if (isSwept && !this.isLate) this.tellSwept(this.figures);
  }

  private get underWay(): number {
    return this.senders.reduce((sum, { size }) => sum + size, 0);
  }

  private offerNext(): boolean {
    const sender = this.findSender();
    if (sender === undefined) return false;
    const next = this.next();
    if (next !== undefined) sender.offer(next);
    return next !== undefined;
  }

  /** The one with the least to do. */
  private findSender(): Sender | undefined {
    const free = this.senders.filter(({ hasRoom }) => hasRoom);
    return free.reduce<Sender | undefined>((best, one) => (best && best.size <= one.size ? best : one), undefined);
  }

  /** Undefined at the end of a walk, and until the next one begins. */
  private next(): Departure | undefined {
    if (this.walk === undefined && this.sweeps > 0) return undefined;
    this.walk ??= this.beginWalk();
    const step = this.walk.next();
    if (step.done !== true) return step.value;
    this.walk = undefined;
    this.sweeps += 1;
    this.lastStays = this.stays;
    this.lookAgain();
    return undefined;
  }

  private beginWalk(): Iterator<Departure> {
    this.stays = noStays();
    this.isOwed = false;
    return this.options.plane.handing.departures(this.stays)[Symbol.iterator]();
  }

  private lookAgain(): void {
    this.cancelLook();
    const { clock } = this.options;
    const afterMs = Math.max(LOOK_MS, this.rejectedUntilMs - clock.nowMs());
    this.cancelLook = clock.after(afterMs, () => {
      if (this.state === 'stopped') return;
      this.walk ??= this.beginWalk();
      this.ready();
    });
  }

  private giveUp(): void {
    const [why] = this.senders.flatMap((sender) => sender.why ?? []);
    if (this.hasStarted)
      this.options.log.warn({ why, ...this.figures }, 'The new generation takes no more connections over');
    this.stop();
  }
}

function noStays(): Record<StayReason, number> {
  return Object.fromEntries(STAY_REASONS.map((reason) => [reason, 0])) as Record<StayReason, number>;
}
