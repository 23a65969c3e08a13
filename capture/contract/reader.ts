import type { TrafficStream } from '../../core/capture/traffic-stream';

/** One record of a store, and where it is. */
export interface StoredRecord {
  readonly stream: TrafficStream;
  /** Of its last observation, in milliseconds since 1970. Of a record without one that of the record before it. */
  readonly timeMs: number;
}

/** Where captured traffic is read. */
export interface CaptureReader {
  /**
   * The records of a store by their time: those of one connection in their order, those of several processes beside each other. They come
   * in batches. With `follow` there is no end until the signal is aborted; then a batch may be empty, and says how far the time is.
   *
   * @throws DamagedCapture at the first record that cannot be read, unless it is to be skipped
   */
  read(options: ReadOptions): AsyncIterable<RecordBatch>;
  /** How much of what is known of the store is read. */
  readonly progress: ReadProgress;
}

export interface ReadProgress {
  readonly doneBytes: number;
  readonly totalBytes: number;
}

export interface RecordBatch {
  readonly records: readonly StoredRecord[];
  /** No record before this time will come, unless a process was late with it. */
  readonly watermarkMs: number;
  /** All that was in the store when this mark was set has been given, with this batch. */
  readonly mark?: string;
}

/** Set by one who must know when all that is in a store by now was read. */
export interface ReadMark {
  /** Of the last mark that was set. */
  readonly id: string | undefined;
  /** Resolves after this time, or when another mark is set. */
  pause(milliseconds: number, signal: AbortSignal): Promise<void>;
}

export interface ReadOptions {
  readonly signal: AbortSignal;
  /** Wait for what is still to be written. */
  readonly follow: boolean;
  /** Parts that were written before it are left out: nothing after it can be in them. In milliseconds since 1970; -Infinity: none is left out. */
  readonly fromMs?: number;
  /** Looked at with `follow`. */
  readonly mark?: ReadMark;
  /** Called with one line for a person, for each thing that is damaged: it is left out. @default - it ends the reading */
  readonly skip?: (problem: string) => void;
  /** Called with one line for a person, for each thing that is not as it should be and does not end the reading. */
  readonly warn: (line: string) => void;
}

/** What is in a store cannot be read: name, rule and value, in one line. */
export class DamagedCapture extends Error {
  override readonly name = 'DamagedCapture';
}
