import { buffer } from 'node:stream/consumers';
import { Readable } from 'node:stream';
import type { Part } from '../contract/part-source';

/** One whose bytes are on their way before it is read. */
export class FetchedPart implements Part {
  readonly name: string;
  readonly node: string;
  readonly bytes: number;
  readonly writtenMs: number;
  readonly notBeforeMs: number;
  private readonly fetching: Promise<Buffer>;

  constructor({ name, node, bytes, writtenMs, notBeforeMs, open }: Part) {
    this.name = name;
    this.node = node;
    this.bytes = bytes;
    this.writtenMs = writtenMs;
    this.notBeforeMs = notBeforeMs;
    this.fetching = open().then(buffer);
    // Who opens it gets the error.
    this.fetching.catch(() => undefined);
  }

  async open(): Promise<Readable> {
    return Readable.from([await this.fetching]);
  }
}
