const MASKED = 0x80;
const LENGTH = 0x7f;
const MAX_HEADER_BYTES = 14;
const NOTHING = Buffer.alloc(0);

/** What stands before the payload of a frame of a WebSocket. @see RFC 6455 section 5.2 */
export interface Frame {
  readonly first: number;
  readonly length: number;
  /** Undefined of a frame without a mask. */
  readonly mask: Buffer | undefined;
}

/** As JSON has it; bytes are base64. */
export interface PackedFrame {
  readonly first: number;
  readonly length: number;
  readonly mask: string | null;
}

/** Reads the headers of frames, of bytes that may come one by one. */
export class HeaderReader {
  /** Of a header that is not whole. */
  private header = NOTHING;

  /** Whether none is under way. */
  get isAtStart(): boolean {
    return this.header.length === 0;
  }

  /** @returns the frame whose header is whole, and where its payload begins; the end where none is */
  read(bytes: Buffer, at: number): { readonly frame?: Frame; readonly next: number } {
    const found = bytes.subarray(at, at + MAX_HEADER_BYTES - this.header.length);
    const header = this.header.length === 0 ? found : Buffer.concat([this.header, found]);
    const length = findLength(header);
    if (length === undefined || length > header.length) {
      this.header = Buffer.from(header);
      return { next: bytes.length };
    }
    const next = at + length - this.header.length;
    this.header = NOTHING;
    return { frame: parse(header, length), next };
  }

  clear(): void {
    this.header = NOTHING;
  }

  pack(): string {
    return this.header.toString('base64');
  }

  unpack(header: string): void {
    this.header = Buffer.from(header, 'base64');
  }
}

/** Undefined while its first two bytes are not there. */
function findLength(header: Buffer): number | undefined {
  if (header.length < 2) return undefined;
  const second = header[1]!;
  const short = second & LENGTH;
  return 2 + (short === 126 ? 2 : short === 127 ? 8 : 0) + ((second & MASKED) >> 5);
}

function parse(header: Buffer, end: number): Frame {
  const second = header[1]!;
  const short = second & LENGTH;
  const length = short === 126 ? header.readUInt16BE(2) : short === 127 ? Number(header.readBigUInt64BE(2)) : short;
  const mask = (second & MASKED) === 0 ? undefined : Buffer.from(header.subarray(end - 4, end));
  return { first: header[0]!, length, mask };
}

export function packFrame(frame: Frame | undefined): PackedFrame | null {
  return frame === undefined ? null : { ...frame, mask: frame.mask?.toString('base64') ?? null };
}

export function unpackFrame(packed: PackedFrame | null): Frame | undefined {
  if (packed === null) return undefined;
  const { first, length, mask } = packed;
  return { first, length, mask: mask === null ? undefined : Buffer.from(mask, 'base64') };
}

/** A copy. @see RFC 6455 section 5.3 */
export function applyMask(payload: Buffer, mask: Buffer): Buffer {
  const clear = Buffer.allocUnsafe(payload.length);
  for (let index = 0; index < payload.length; index += 1) clear[index] = payload[index]! ^ mask[index & 3]!;
  return clear;
}
