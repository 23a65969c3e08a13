import { AssemblerLimits, CaptureAssembler, DEFAULT_ASSEMBLER_LIMITS } from '../../core/capture/capture-assembler';
import type { AssemblyCounts, CapturedRequest } from '../../core/capture/connection-assembly';
import { TimeOrder, TimedEvent } from '../../core/capture/time-order';
import { findNodeSide } from '../../core/capture/node-id';
import type { Side } from '../../core/traffic/weights';
import type { CaptureReader, ReadOptions, RecordBatch } from '../contract/reader';

export interface EventOptions extends ReadOptions {
  /** How far apart in the store records of one moment may be; in milliseconds. */
  readonly windowMs: number;
  readonly limits?: AssemblerLimits;
  /** Of all that waits for its place in time. */
  readonly maxBytes: number;
  /** Give messages of WebSockets, too. @default - they are counted */
  readonly withMessages?: boolean;
  /** What this backend has served, alone; records that do not say so are left out then. @default - all */
  readonly servedBy?: Side;
}

export interface EventCounts extends AssemblyCounts {
  /** Records that were read. */
  records: number;
  /** What came so late that others were given before it. */
  late: number;
  /** Requests that were given although they were never forwarded: this was known too late. */
  withdrawnLate: number;
  /** What was damaged, and left out. */
  damaged: number;
}

/** What happened on all connections of a store, in the order of time. */
export class EventStream {
  private readonly order: TimeOrder;
  private readonly assembler: CaptureAssembler;
  private records = 0;
  private withdrawnLate = 0;
  private damaged = 0;
  /** All that was in the store when this mark was set has been given. */
  passedMark: string | undefined = undefined;
  /** How far the reading is, in recorded time. */
  watermarkMs = -Infinity;

  constructor(
    private readonly reader: CaptureReader,
    private readonly options: EventOptions,
  ) {
    this.order = new TimeOrder(options.maxBytes);
    this.assembler = new CaptureAssembler((event) => {
      if (event.kind === 'message' && this.options.withMessages !== true) return;
      if (event.kind !== 'withdrawal') this.order.add(event);
      else if (!this.order.withdraw(event.id)) this.withdrawnLate += 1;
    }, options.limits ?? DEFAULT_ASSEMBLER_LIMITS);
  }

  get counts(): EventCounts {
    const { records, withdrawnLate, damaged } = this;
    return { ...this.assembler.counts, records, late: this.order.late, withdrawnLate, damaged };
  }

  /** Bytes that wait. */
  get heldBytes(): number {
    return this.order.heldBytes + this.assembler.heldBytes;
  }

  /** Of the earliest that waits for its place; undefined without any. */
  get firstMs(): number | undefined {
    return this.order.firstMs;
  }

  /** The earliest of those that are wanted and wait for their place. */
  findFirst(isWanted: (request: CapturedRequest) => boolean): CapturedRequest | undefined {
    return this.order.findFirst(isWanted);
  }

  /** In batches. @throws DamagedCapture after all that came before */
  async *read(): AsyncGenerator<readonly TimedEvent[]> {
    let failure: Error | undefined;
    const { skip } = this.options;
    const count = (problem: string) => {
      this.damaged += 1;
      skip?.(problem);
    };
    try {
      for await (const { records, watermarkMs, mark } of this.reader.read({
        ...this.options,
        ...(skip && { skip: count }),
      })) {
        this.add(records);
        this.watermarkMs = Math.max(this.watermarkMs, watermarkMs);
        if (mark !== undefined) this.assembler.closeGaps();
        else if (watermarkMs > -Infinity) this.assembler.advance(watermarkMs);
        // Who sets a mark knows that nothing from before it is to come.
        const events = this.takeUntil(mark === undefined ? watermarkMs - this.options.windowMs : Infinity);
        if (events.length > 0) yield events;
        if (mark !== undefined) this.passedMark = mark;
      }
    } catch (error) {
      failure = error as Error;
    }
    if (this.options.signal.aborted) return;
    this.assembler.end();
    const rest = this.takeUntil(Infinity);
    if (rest.length > 0) yield rest;
    if (failure) throw failure;
  }

  private add(records: RecordBatch['records']): void {
    const { servedBy } = this.options;
    for (const { stream, timeMs } of records) {
      if (servedBy !== undefined && findNodeSide(stream.nodeId) !== servedBy) continue;
      this.assembler.add(stream, timeMs);
      this.records += 1;
    }
  }

  private takeUntil(timeMs: number): TimedEvent[] {
    const events: TimedEvent[] = [];
    for (let event = this.order.take(timeMs); event; event = this.order.take(timeMs)) events.push(event);
    return events;
  }
}
