import type { Readable } from 'node:stream';

/** One file or object of a store. */
export interface Part {
  /** As a message names it. */
  readonly name: string;
  /** Parts of one node follow each other. */
  readonly node: string;
  readonly bytes: number;
  /** When its last byte was written; in milliseconds since 1970. */
  readonly writtenMs: number;
  /** Where it is known by its name: nothing in it is older. In milliseconds since 1970. */
  readonly notBeforeMs: number;
  /** Its bytes. @throws Error that says why it cannot be read */
  open(): Promise<Readable>;
}

/** What a store of parts consists of. */
export interface PartSource {
  /**
   * All parts that are whole now, sorted by name; but those of processes that were not known may be left to a later call.
   *
   * @param isComplete none is left to a later call
   * @throws Error that says why they cannot be listed
   */
  list(signal: AbortSignal, isComplete: boolean): Promise<readonly Part[]>;
  /** Whether parts may be added. */
  readonly grows: boolean;
}
