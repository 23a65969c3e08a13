/**
 * Where captured traffic is kept. Records are encoded `TrafficStream`s; those of one key stay in the order in which they were appended.
 */
export interface CaptureWriter {
  /**
   * Resolves when all of them are durable. One call after the other: the next one may come while this one lasts, and its records
   * are behind these.
   *
   * @throws Error that says why they are not, or may not be
   */
  append(records: readonly CaptureRecord[]): Promise<void>;
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
