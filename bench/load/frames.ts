/** WebSocket frames (RFC 6455 section 5), as much of them as an echo needs: whole, binary, at most 64 KiB. */

export const ACCEPT_MAGIC = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

const MASKED = 0x80;
const MASK_BYTES = 4;

/** A whole binary message. Masked with a key of zeros: valid, and it costs neither side a copy. */
export function messageFrame(payload: Buffer, isMasked: boolean): Buffer {
  return Buffer.concat([frameHead(0x82, payload.length, isMasked), payload]);
}

export function closeFrame(code: number, isMasked: boolean): Buffer {
  return Buffer.concat([frameHead(0x88, 2, isMasked), Buffer.from([code >> 8, code & 255])]);
}

function frameHead(first: number, length: number, isMasked: boolean): Buffer {
  const mask = isMasked ? MASKED : 0;
  const size = length < 126 ? [mask | length] : [mask | 126, length >> 8, length & 255];
  return Buffer.from([first, ...size, ...(isMasked ? [0, 0, 0, 0] : [])]);
}

export interface Frame {
  readonly opcode: number;
  readonly payload: Buffer;
}

/** Splits what arrives into whole frames. */
export class FrameReader {
  readonly #take: (frame: Frame) => void;
  #rest: Buffer = Buffer.alloc(0);

  constructor(take: (frame: Frame) => void) {
    this.#take = take;
  }

  push(bytes: Buffer): void {
    let rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    for (let length = frameLength(rest); length !== undefined && rest.length >= length; length = frameLength(rest)) {
      this.#take(parseFrame(rest.subarray(0, length)));
      rest = rest.subarray(length);
    }
    this.#rest = rest;
  }
}

/** With its head; undefined while too little of it is there. */
function frameLength(bytes: Buffer): number | undefined {
  if (bytes.length < 2) return undefined;
  const second = bytes[1]!;
  const short = second & 0x7f;
  if (short === 127) throw new Error("'payload' must be at most 65535 bytes, got a longer one");
  if (short === 126 && bytes.length < 4) return undefined;
  const mask = second >= MASKED ? MASK_BYTES : 0;
  return short === 126 ? 4 + mask + bytes.readUInt16BE(2) : 2 + mask + short;
}

function parseFrame(bytes: Buffer): Frame {
  const isMasked = bytes[1]! >= MASKED;
  const start = ((bytes[1]! & 0x7f) === 126 ? 4 : 2) + (isMasked ? MASK_BYTES : 0);
  const payload = bytes.subarray(start);
  if (isMasked) unmask(payload, bytes.subarray(start - MASK_BYTES, start));
  return { opcode: bytes[0]! & 15, payload };
}

function unmask(payload: Buffer, key: Buffer): void {
  if (key.readUInt32BE(0) === 0) return;
  for (let index = 0; index < payload.length; index += 1) payload[index]! ^= key[index & 3]!;
}
