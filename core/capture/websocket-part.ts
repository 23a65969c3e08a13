import type { Observation } from './traffic-stream';

/** What a WebSocket carries; see RFC 6455 section 5.2 for the numbers. */
export const MESSAGE_OPCODES = { text: 0x1, binary: 0x2, close: 0x8 } as const;
export type MessageType = keyof typeof MESSAGE_OPCODES;

/** A message of a WebSocket, or its Close frame. */
export interface CapturedMessage {
  readonly connectionId: string;
  readonly nodeId: string;
  readonly from: 'client' | 'backend';
  readonly type: MessageType;
  readonly payload: Uint8Array;
}

/**
 * What a part with messages of a WebSocket begins with: a request without a byte that was dropped. Who knows of HTTP alone ends the
 * response before it there, and takes what follows for no request.
 */
export function markMessages(timeNs: bigint): Observation[] {
  return [
    { timeNs, kind: 'read', data: new Uint8Array(0) },
    { timeNs, kind: 'dropped' },
  ];
}

/** The observations behind the mark; undefined of a part without one. */
export function findMessages(observations: readonly Observation[]): readonly Observation[] | undefined {
  const [first, second] = observations;
  const isMarked = first?.kind === 'read' && first.data.length === 0 && second?.kind === 'dropped';
  return isMarked ? observations.slice(2) : undefined;
}

interface Header {
  readonly opcode: number;
  readonly isMasked: boolean;
  /** Of the header, with its mask. */
  readonly bytes: number;
  readonly payloadBytes: number;
}

const OPCODE = 0x0f;
const MASKED = 0x80;
const LENGTH = 0x7f;
const NOTHING = new Uint8Array(0);

/** Reads the frames of one direction as they are recorded: each of them is a whole message. */
export class RecordedFrames {
  private parts: Uint8Array[] = [];
  private bytes = 0;
  /** With fewer bytes there is nothing to read. */
  private needed = 2;

  /** @param maxBytes of a message; of a longer one there is no payload */
  constructor(private readonly maxBytes: number) {}

  get heldBytes(): number {
    return this.bytes;
  }

  /** Calls for each frame that is whole. */
  push(data: Uint8Array, take: (opcode: number, payload: Uint8Array) => void): void {
    this.parts.push(data);
    this.bytes += data.length;
    if (this.bytes < this.needed) return;
    const all = this.parts.length === 1 ? data : Buffer.concat(this.parts);
    let at = 0;
    for (;;) {
      const header = readHeader(all.subarray(at));
      this.needed = header === undefined ? 2 : header.bytes + header.payloadBytes;
      if (header === undefined || all.length - at < this.needed) break;
      const end = at + this.needed;
      take(header.opcode, this.unmask(all.subarray(at, end), header));
      at = end;
    }
    const rest = all.subarray(at);
    this.parts = rest.length === 0 ? [] : [rest];
    this.bytes = rest.length;
    // Its header may not be whole.
    this.needed = Math.max(this.needed, rest.length + 1);
  }

  /** What there is of a frame counts for nothing. */
  reset(): void {
    this.parts = [];
    this.bytes = 0;
    this.needed = 2;
  }

  private unmask(frame: Uint8Array, { isMasked, bytes, payloadBytes }: Header): Uint8Array {
    if (payloadBytes > this.maxBytes) return NOTHING;
    const payload = frame.subarray(bytes);
    const mask = frame.subarray(bytes - 4, bytes);
    return isMasked && mask.some((byte) => byte !== 0) ? payload.map((byte, at) => byte ^ mask[at & 3]!) : payload;
  }
}

/** Undefined while it is not whole. */
function readHeader(bytes: Uint8Array): Header | undefined {
  if (bytes.length < 2) return undefined;
  const short = bytes[1]! & LENGTH;
  const isMasked = (bytes[1]! & MASKED) !== 0;
  const lengthBytes = short === 126 ? 2 : short === 127 ? 8 : 0;
  const length = 2 + lengthBytes + (isMasked ? 4 : 0);
  if (bytes.length < length) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const payloadBytes = short === 126 ? view.getUint16(2) : short === 127 ? Number(view.getBigUint64(2)) : short;
  return { opcode: bytes[0]! & OPCODE, isMasked, bytes: length, payloadBytes };
}
