/**
 * Where captured traffic is kept. Records are encoded `TrafficStream`s; those of one key stay in the order in which they were appended.
 */
export interface CaptureWriter {
  /**
   * Resolves when all of them are durable. One that failed is repeated with its own number and the same records, and replaces what it may
   * have left; the next one need not wait for it.
   *
   * @param part the number of the call, from 1: parts are read in this order
   * @throws Error that says why they are not durable, or may not be
   */
  append(part: number, records: readonly CaptureRecord[]): Promise<void>;
  close(): Promise<void>;
}

export interface CaptureRecord {
  /** The connection. */
  readonly key: string;
  /** An encoded `TrafficStream`. */
  readonly bytes: Uint8Array;
}

/** What the parts of a store are named by: who wrote them, and in which order. */
export interface CaptureNode {
  /** Unique among all processes that ever wrote to the store. */
  readonly id: string;
  readonly startedMs: number;
}
