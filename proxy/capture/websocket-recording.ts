import type { CaptureRecord } from '../../capture/contract/store';
import { type Redaction, redactJson } from '../../core/capture/redaction';
import type { Observation } from '../../core/capture/traffic-stream';
import { MESSAGE_OPCODES } from '../../core/capture/websocket-part';
import type { MessageRecording } from '../data-plane/contract/data-plane';
import { listValues, listed } from '../data-plane/fields/lines';
import { encodeFrame } from '../data-plane/moves/adapters/encode-frame';
import { Compression, MessageFollower, PackedFollower } from './message-follower';
import { Trace } from './trace';

/** A mask that changes nothing: what is recorded can be read as it is, and is a frame of a client. */
const NO_MASK = Buffer.alloc(4);

/** What it needs of the capture of its process. */
export interface MessageHome {
  readonly redaction: Redaction;
  /** A longer message is not recorded. */
  readonly bodyBytes: number;
  readonly wallClock: { readonly nowNs: bigint };
  hold(bytes: number): boolean;
  free(bytes: number): void;
  holdDictionary(bytes: number): boolean;
  freeDictionary(bytes: number): void;
  /** @param count how many messages they have */
  appendMessages(records: readonly CaptureRecord[], count: number): void;
  /** Messages that are not recorded. */
  lostMessages(count: number): void;
  faulted(error: unknown): void;
}

/** Each way of a WebSocket. */
interface Compressions {
  readonly client: Compression;
  readonly upstream: Compression;
}

/** Where one is that goes on in another process, as JSON has it. */
interface PackedMessages {
  readonly nodeId: string;
  readonly id: string;
  readonly index: number;
  readonly requests: number;
  readonly compressions: Compressions;
  readonly client: PackedFollower;
  readonly upstream: PackedFollower;
}

/**
 * Writes the messages of a WebSocket down behind its handshake, in the form of the wire: one frame for each message, as it is before it
 * is compressed. What cannot be recorded is counted. Frames go on without it, whatever becomes of it.
 */
export class WebSocketRecording implements MessageRecording {
  private readonly client: MessageFollower;
  private readonly upstream: MessageFollower;
  private state: 'open' | 'ended' = 'open';

  private constructor(
    private readonly home: MessageHome,
    private readonly trace: Trace,
    private readonly compressions: Compressions,
  ) {
    this.client = this.createFollower(compressions.client);
    this.upstream = this.createFollower(compressions.upstream);
  }

  /** @param fields those of the 101 */
  static begin(home: MessageHome, trace: Trace, fields: string): WebSocketRecording {
    return new WebSocketRecording(home, trace, findCompressions(fields));
  }

  /** One of another process. @throws Error of what is none */
  static unpack(home: MessageHome, bytes: Buffer): WebSocketRecording {
    const packed = JSON.parse(bytes.toString()) as PackedMessages;
    const trace = new Trace(packed.nodeId, packed.id, true);
    trace.index = packed.index;
    trace.requests = packed.requests;
    const recording = new WebSocketRecording(home, trace, packed.compressions);
    recording.client.unpack(packed.client);
    recording.upstream.unpack(packed.upstream);
    return recording;
  }

  get heldBytes(): number {
    return this.client.heldBytes + this.upstream.heldBytes;
  }

  fromClient(bytes: Buffer): void {
    this.safely(() =>
      this.record((observations, timeNs) =>
        this.follow(this.client, bytes, (opcode, payload) => {
          const data = encodeFrame(opcode, payload, true, NO_MASK);
          // It is no request of HTTP.
          observations.push({ timeNs, kind: 'read', data }, { timeNs, kind: 'dropped' });
        }),
      ),
    );
  }

  fromUpstream(bytes: Buffer): void {
    this.safely(() =>
      this.record((observations, timeNs) =>
        this.follow(this.upstream, bytes, (opcode, payload) => {
          observations.push({ timeNs, kind: 'write', data: encodeFrame(opcode, payload, false) });
        }),
      ),
    );
  }

  pack(): Buffer {
    const { trace, compressions, client, upstream } = this;
    const packed: PackedMessages = {
      ...{ nodeId: trace.nodeId, id: trace.id, index: trace.index, requests: trace.requests, compressions },
      ...{ client: client.pack(), upstream: upstream.pack() },
    };
    return Buffer.from(JSON.stringify(packed));
  }

  leave(): void {
    this.state = 'ended';
    this.client.end();
    this.upstream.end();
  }

  ended(): void {
    if (this.state === 'ended') return;
    this.safely(() => {
      const timeNs = this.home.wallClock.nowNs;
      this.home.appendMessages(this.trace.writeMessages([{ timeNs, kind: 'close' }], true), 0);
    });
    this.leave();
  }

  private createFollower(compression: Compression): MessageFollower {
    const { home } = this;
    return new MessageFollower({
      maxBytes: home.bodyBytes,
      compression,
      hold: (bytes) => home.hold(bytes),
      free: (bytes) => home.free(bytes),
      holdDictionary: (bytes) => home.holdDictionary(bytes),
      freeDictionary: (bytes) => home.freeDictionary(bytes),
    });
  }

  /** What became whole with these bytes is one record, or as many as it takes. */
  private record(read: (observations: Observation[], timeNs: bigint) => number): void {
    const observations: Observation[] = [];
    const count = read(observations, this.home.wallClock.nowNs);
    if (observations.length > 0) this.home.appendMessages(this.trace.writeMessages(observations), count);
  }

  /** @returns how many messages there were */
  private follow(follower: MessageFollower, bytes: Buffer, take: (opcode: number, payload: Buffer) => void): number {
    let count = 0;
    follower.follow(bytes, (opcode, payload) => {
      const shown = payload && this.hide(opcode, payload);
      if (shown === undefined) return this.home.lostMessages(1);
      count += 1;
      take(opcode, shown);
    });
    return count;
  }

  /** @returns undefined where it cannot be hidden what must be */
  private hide(opcode: number, payload: Buffer): Buffer | undefined {
    const { redaction } = this.home;
    if (redaction.pointers.length === 0 || opcode !== MESSAGE_OPCODES.text) return payload;
    const text = payload.toString();
    if (!/^\s*[[{]/.test(text)) return payload;
    const hidden = redactJson(text, redaction);
    if (hidden === undefined) return undefined;
    return hidden === text ? payload : Buffer.from(hidden);
  }

  /** A fault of ours must not cut the connection. */
  private safely(call: () => void): void {
    if (this.state === 'ended') return;
    try {
      call();
    } catch (error) {
      this.leave();
      this.home.lostMessages(1);
      this.home.faulted(error);
    }
  }
}

/** @see RFC 7692 section 7.1 */
function findCompressions(fields: string): Compressions {
  const extensions = listValues(fields, 'sec-websocket-extensions').flatMap(listed);
  const [first] = extensions;
  if (first === undefined) return { client: 'none', upstream: 'none' };
  const [name, ...parameters] = first.split(';').map((part) => part.trim().toLowerCase());
  if (extensions.length > 1 || name !== 'permessage-deflate') return { client: 'unknown', upstream: 'unknown' };
  const keeps = (side: string) => (parameters.includes(`${side}_no_context_takeover`) ? 'each' : 'context');
  return { client: keeps('client'), upstream: keeps('server') };
}
