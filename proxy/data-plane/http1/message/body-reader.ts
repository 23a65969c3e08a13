import type { Deviation } from '../../contract/deviations';
import type { PackedBody } from '../../contract/handover';
import { BodySink, ChunkedDecoder } from './chunked';
import type { FieldLimits } from '../../fields/field-lines';

/** How the end of a body is found. */
export type BodyEnd = 'length' | 'chunked' | 'close';

/** Follows one body after the other of one connection. */
export class BodyReader {
  isOver = true;
  private endsBy: BodyEnd = 'length';
  private left = 0;
  private decoder: ChunkedDecoder | undefined;

  /** `deviates`: see `ChunkedDecoder`. */
  constructor(
    private readonly limits: FieldLimits,
    private readonly deviates?: (what: Deviation) => void,
  ) {}

  /** Why the bytes that were read last are malformed. */
  get problem(): string | undefined {
    return this.decoder?.problem;
  }

  /** `length` in bytes, where `endsBy` it. One of 0 has ended at once, without a call. */
  begin(endsBy: BodyEnd, length: number): void {
    this.endsBy = endsBy;
    this.left = length;
    this.isOver = endsBy === 'length' && length === 0;
    this.decoder = endsBy === 'chunked' ? new ChunkedDecoder(this.limits, this.deviates) : undefined;
  }

  /** Where it is, for another process. */
  pack(): PackedBody {
    const { endsBy, left, decoder } = this;
    return { endsBy, left, chunks: decoder?.pack() };
  }

  /** Goes on where another one was, in the middle of a body. */
  unpack({ endsBy, left, chunks }: PackedBody): void {
    this.begin(endsBy, left);
    if (chunks !== undefined) this.decoder?.unpack(chunks);
  }

  /** Follows `bytes` from one place to another. Returns the place behind the body's last byte; -1 when they are malformed. */
  read(bytes: Buffer, from: number, end: number, sink: BodySink): number {
    if (this.decoder) {
      const to = this.decoder.decode(bytes, from, end, sink);
      if (this.decoder.isDone) this.isOver = true;
      return to;
    }
    const available = end - from;
    const taken = this.endsBy === 'close' ? available : Math.min(this.left, available);
    this.left -= taken;
    if (taken > 0) sink.bodyReceived(taken === bytes.length ? bytes : bytes.subarray(from, from + taken));
    if (this.endsBy === 'length' && this.left === 0) {
      this.isOver = true;
      sink.bodyEnded('');
    }
    return from + taken;
  }

  /** Its connection has ended. Returns whether the body is whole with that. */
  close(): boolean {
    if (this.endsBy === 'close') this.isOver = true;
    return this.isOver;
  }
}
