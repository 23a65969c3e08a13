import { setTimeout as pause } from 'node:timers/promises';
import { ReplayStatus, createReplayStatus, parseReplayOrder, parseReplayStatus } from '../../core/replay/replay-status';
import { HeldText, TakenOver } from '../place/held-text';
import type { Mark } from './mark';
import type { StatusPlace } from './place';

const WRITE_MS = 1_000;
/** Between two looks at the order. */
const LOOK_MS = 400;
/** While one is followed. */
const BUSY_MS = 50;

/** What is written, but for the order that was followed. */
export type ObservedStatus = Omit<ReplayStatus, 'version' | 'writtenAt' | 'caughtUp' | 'ended'>;

export interface StatusParts {
  readonly place: StatusPlace;
  readonly mark: Mark;
  readonly observe: () => ObservedStatus;
  /** Whether all that was in the store when the mark was set is finished. */
  readonly hasCaughtUp: (mark: string) => boolean;
  /** Called with one line, when the status cannot be written, or the order not be read. */
  readonly warn: (line: string) => void;
  /** Called when another replay has the status now. */
  readonly lose: (error: Error) => void;
}

/** Writes the status of a replay, and follows its orders, beside the replay itself: no failure here stops it. */
export class StatusLoop {
  private caughtUp: string | undefined;
  private ended: string | undefined;
  /** Of an earlier run of the same replay. */
  private before: ReplayStatus | undefined;
  private writtenMs = -Infinity;
  private lookedMs = -Infinity;
  private isFailing = false;
  private isLost = false;
  private readonly text: HeldText;
  private readonly stop = new AbortController();
  private running: Promise<void> = Promise.resolve();

  constructor(private readonly parts: StatusParts) {
    this.text = new HeldText(parts.place.status, parts.observe().run);
  }

  /**
   * Takes it from a replay that writes it: that one ends. What an earlier run has lost stays in the status, until a person who has made up
   * for it removes it.
   *
   * @throws Error where the status cannot be read and written at all: who waits for it would wait for ever
   */
  async start(): Promise<void> {
    const text = await this.text.read();
    const before = text === undefined ? undefined : parseReplayStatus(text, this.text.name);
    const now = this.parts.observe();
    if (before && isSameReplay(before, now)) this.before = before;
    await this.write();
    this.running = this.run();
  }

  /** @param why it has ended */
  async end(why: string): Promise<void> {
    this.stop.abort();
    await this.running;
    this.ended = why;
    if (this.isLost) return;
    await this.try(() => this.write());
  }

  private async run(): Promise<void> {
    const { mark } = this.parts;
    const { signal } = this.stop;
    while (!signal.aborted) {
      await pause(mark.id === this.caughtUp ? LOOK_MS : BUSY_MS, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      await this.try(() => this.look());
    }
  }

  private async look(): Promise<void> {
    const { mark, place, hasCaughtUp } = this.parts;
    // First: an order that cannot be read must not make it look as if the replay had stopped.
    if (performance.now() - this.writtenMs >= WRITE_MS) await this.write();
    if (performance.now() - this.lookedMs >= LOOK_MS) {
      this.lookedMs = performance.now();
      const stored = await place.order.read();
      const order = stored && parseReplayOrder(stored.text);
      if (order) mark.set(order.catchUp);
    }
    const { id } = mark;
    if (id === undefined || id === this.caughtUp || !hasCaughtUp(id)) return;
    this.caughtUp = id;
    await this.write();
  }

  private async write(): Promise<void> {
    const { caughtUp, ended } = this;
    this.writtenMs = performance.now();
    const status = createReplayStatus({
      ...addBefore(this.parts.observe(), this.before),
      writtenAt: new Date().toISOString(),
      ...(caughtUp !== undefined && { caughtUp }),
      ...(ended !== undefined && { ended }),
    });
    await this.text.write(JSON.stringify(status));
  }

  private async try(work: () => Promise<void>): Promise<void> {
    try {
      await work();
      this.isFailing = false;
    } catch (error) {
      if (error instanceof TakenOver) {
        this.isLost = true;
        this.stop.abort();
        return this.parts.lose(error);
      }
      const { name, message } = error as Error;
      if (!this.isFailing)
        this.parts.warn(
          `the status '${this.text.name}' must be writable and readable, got ${name}: ${message}; it is tried again`,
        );
      this.isFailing = true;
      await pause(WRITE_MS, undefined, { signal: this.stop.signal }).catch(() => undefined);
    }
  }
}

type Ends = Pick<ReplayStatus, 'from' | 'to' | 'servedBy'>;

function isSameReplay(a: Ends, b: Ends): boolean {
  return a.from === b.from && a.to === b.to && a.servedBy === b.servedBy;
}

function addBefore(now: ObservedStatus, before: ReplayStatus | undefined): ObservedStatus {
  if (!before) return now;
  const firstParked = before.firstParked ?? now.firstParked;
  const firstSkippedWrite = before.firstSkippedWrite ?? now.firstSkippedWrite;
  const firstDifferingWrite = before.firstDifferingWrite ?? now.firstDifferingWrite;
  const fromTime = before.fromTime ?? now.fromTime;
  return {
    ...now,
    parked: before.parked + now.parked,
    reordered: before.reordered + now.reordered,
    withdrawnLate: before.withdrawnLate + now.withdrawnLate,
    late: before.late + now.late,
    skippedWrites: before.skippedWrites + now.skippedWrites,
    differingWrites: before.differingWrites + now.differingWrites,
    damaged: before.damaged + now.damaged,
    missing: before.missing + now.missing,
    ...(fromTime !== undefined && { fromTime }),
    ...(firstParked && { firstParked }),
    ...(firstSkippedWrite && { firstSkippedWrite }),
    ...(firstDifferingWrite && { firstDifferingWrite }),
  };
}
