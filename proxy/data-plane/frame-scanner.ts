/** Where a scan stops: before a Close frame begins, or as soon as no message is under way. */
export type Stop = 'never' | 'beforeClose' | 'atMessageBoundary';

const CONTINUATION = 0x0;
const CLOSE = 0x8;
const FIN = 0x80;
const MASKED = 0x80;
/** A 64-bit length behind which no number is exact; no peer means it. */
const MAX_EXACT = 2 ** 53;

/**
 * Follows the frames of one direction of a WebSocket without keeping or changing them (RFC 6455 section 5.2): where
 * frames and whole messages end, and whether a Close frame went by.
 */
export class FrameScanner {
  private header: number[] = [];
  private payloadLeft = 0;
  private opcode = CONTINUATION;
  private isFinal = true;
  private isInMessage = false;
  /** A Close frame went by, whole. */
  sawClose = false;

  /** Nothing is under way: neither a frame nor a message in fragments. */
  get atMessageBoundary(): boolean {
    return this.atFrameBoundary && !this.isInMessage;
  }

  get atFrameBoundary(): boolean {
    return this.payloadLeft === 0 && this.header.length === 0;
  }

  /** Follows `bytes`, up to the place where it is to stop. Returns the count of followed bytes. */
  scan(bytes: Buffer, stop: Stop = 'never'): number {
    let at = 0;
    while (at < bytes.length) {
      if (this.payloadLeft > 0) {
        const taken = Math.min(this.payloadLeft, bytes.length - at);
        this.payloadLeft -= taken;
        at += taken;
        if (this.payloadLeft === 0) this.endFrame();
        continue;
      }
      if (this.header.length === 0 && this.stopsHere(bytes[at]!, stop)) return at;
      this.header.push(bytes[at]!);
      at += 1;
      if (this.header.length === headerLength(this.header)) this.beginPayload();
    }
    return at;
  }

  private stopsHere(firstByte: number, stop: Stop): boolean {
    if (stop === 'never') return false;
    return stop === 'beforeClose' ? (firstByte & 0x0f) === CLOSE : !this.isInMessage;
  }

  private beginPayload(): void {
    const first = this.header[0]!;
    this.opcode = first & 0x0f;
    this.isFinal = (first & FIN) !== 0;
    this.payloadLeft = Math.min(payloadLength(this.header), MAX_EXACT);
    if (this.payloadLeft === 0) this.endFrame();
    else this.header = [];
  }

  private endFrame(): void {
    this.header = [];
    if (this.opcode === CLOSE) this.sawClose = true;
    // Control frames may stand between the fragments of a message and end none (RFC 6455 section 5.4).
    if (this.opcode < CLOSE) this.isInMessage = !this.isFinal;
  }
}

/** A Close frame; what a client sends must be masked. @see RFC 6455 sections 5.3 and 5.5.1 */
export function closeFrame(code: number, reason: string, isMasked: boolean): Buffer {
  const payload = Buffer.alloc(2 + Buffer.byteLength(reason));
  payload.writeUInt16BE(code, 0);
  payload.write(reason, 2);
  const header = [FIN | CLOSE, payload.length | (isMasked ? MASKED : 0)];
  // A mask of zeros is as good as any here: it hides from intermediaries what a script chose, and no script chose this.
  return Buffer.concat([Buffer.from(isMasked ? [...header, 0, 0, 0, 0] : header), payload]);
}

/** Of a header that has begun; unknown parts count as absent, so the result grows until the header is whole. */
function headerLength(header: readonly number[]): number {
  const second = header[1];
  if (second === undefined) return 2;
  const short = second & 0x7f;
  const extended = short === 126 ? 2 : short === 127 ? 8 : 0;
  return 2 + extended + ((second & MASKED) !== 0 ? 4 : 0);
}

function payloadLength(header: readonly number[]): number {
  const short = header[1]! & 0x7f;
  const extended = short === 126 ? header.slice(2, 4) : short === 127 ? header.slice(2, 10) : [];
  return extended.length === 0 ? short : extended.reduce((length, byte) => length * 256 + byte, 0);
}
