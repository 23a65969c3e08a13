import type { MoveRejection } from '../../../core/moves/moves';
import type { Transport, TransportUser } from '../contract/transport';
import type { Followed, Message, MoveAdapter, Handshake, Replay, ReplayStep } from './adapters/adapter';
import { encodeFrame } from './adapters/encode-frame';
import { MessageReader, PackedReader, Piece } from './adapters/message-reader';
import type { Conversation, MoveTap, Resumed, UpstreamFilter } from './tap';

/** The longest message that is followed: what servers of socket.io accept by default, and some more. */
const MAX_MESSAGE_BYTES = 2 ** 20;
/** The longest one of a new upstream, until what it says goes by as it is. */
const MAX_RESUMED_BYTES = 2 ** 26;
/** A protocol whose adapter names no times is tried once, at once. */
const ONE_TRY = [0] as const;
const TEXT = 0x1;
const BINARY = 0x2;
const CLOSE = 0x8;

/** A longer state is none that an adapter should have. */
const MAX_STATE_BYTES = 2 ** 20;

/** What another process follows on, as JSON has it. */
export interface PackedTap {
  /** Of the adapter. */
  readonly name: string;
  readonly url: string;
  readonly subprotocol?: string | undefined;
  readonly isDeflated: boolean;
  readonly state: unknown;
  readonly client: PackedReader;
  readonly upstream: PackedReader;
}

export interface AdapterTapOptions {
  /** Whether permessage-deflate without context takeover was agreed. */
  readonly isDeflated: boolean;
  /** For what the new upstream may say again, once the client has gone on. */
  readonly filterMs: number;
  /** Told of an adapter that failed. */
  readonly faulted: (error: unknown) => void;
}

/** Follows a connection for the adapter of its protocol. What cannot be followed is not moved, and goes on as it is. */
export class AdapterTap implements MoveTap {
  private readonly followed: Followed | undefined;
  private client: MessageReader | undefined;
  private upstream: MessageReader | undefined;
  /** What the upstream says goes through it, and is followed there. */
  private filter: RepetitionFilter | undefined = undefined;

  constructor(
    private readonly adapter: MoveAdapter,
    private readonly handshake: Handshake,
    private readonly options: AdapterTapOptions,
    packed?: PackedTap,
  ) {
    this.followed = this.tryAdapter(() =>
      packed === undefined ? adapter.follow(handshake) : adapter.unpack?.(packed.state, handshake),
    );
    this.client = this.createReader();
    this.upstream = this.createReader();
    if (packed !== undefined) {
      this.client.unpack(packed.client);
      this.upstream.unpack(packed.upstream);
    }
    this.dropIfLost();
  }

  get name(): string {
    return this.adapter.name;
  }

  get concurrency(): number | undefined {
    return this.adapter.concurrency;
  }

  get waitsMs(): readonly number[] {
    return this.adapter.waitsMs ?? ONE_TRY;
  }

  get cannotResume(): boolean {
    const { followed } = this;
    return this.isLost || followed === undefined || this.tryAdapter(() => followed.rejection ?? false) !== false;
  }

  get isSettled(): boolean {
    return this.tryAdapter(() => this.followed?.isSettled) === true;
  }

  get isFiltering(): boolean {
    return this.filter !== undefined && !this.filter.isDone;
  }

  get heldBytes(): number {
    return (this.client?.heldBytes ?? 0) + (this.upstream?.heldBytes ?? 0) + (this.filter?.heldBytes ?? 0);
  }

  pack(): Buffer | undefined {
    const { adapter, handshake, client, upstream, followed } = this;
    if (followed?.pack === undefined || adapter.unpack === undefined) return undefined;
    if (client === undefined || upstream === undefined) return undefined;
    const state = this.tryAdapter(() => JSON.stringify(followed.pack!()) as string | undefined);
    if (state === undefined || state.length > MAX_STATE_BYTES) return undefined;
    const packed: Omit<PackedTap, 'state'> = {
      ...{ name: adapter.name, url: handshake.url, subprotocol: handshake.subprotocol },
      ...{ isDeflated: this.options.isDeflated, client: client.pack(), upstream: upstream.pack() },
    };
    return Buffer.from(`${JSON.stringify(packed).slice(0, -1)},"state":${state}}`);
  }

  fromClient(bytes: Buffer): void {
    if (this.client !== undefined) this.follow(this.client, bytes, (message) => this.followed?.fromClient(message));
  }

  fromUpstream(bytes: Buffer): void {
    if (this.upstream === undefined || this.filter !== undefined) return;
    this.follow(this.upstream, bytes, (message) => this.followed?.fromBackend(message));
  }

  resume(): Conversation {
    this.filter = undefined;
    this.upstream = this.createReader();
    const replay = this.tryAdapter(() => this.followed?.replay());
    if (replay === undefined) return { url: this.handshake.url, hold: async () => 'notResumed' };
    return new AdapterConversation(replay, this.createReader(MAX_RESUMED_BYTES), this.options.faulted, (reader) => {
      const filter = new RepetitionFilter(replay, reader, {
        untilMs: performance.now() + this.options.filterMs,
        done: () => (this.filter = undefined),
        faulted: this.options.faulted,
      });
      this.filter = filter;
      return filter;
    });
  }

  private get isLost(): boolean {
    return this.client === undefined;
  }

  private createReader(maxBytes = MAX_MESSAGE_BYTES): MessageReader {
    return new MessageReader({ maxBytes, isDeflated: this.options.isDeflated });
  }

  private follow(reader: MessageReader, bytes: Buffer, tell: (message: Message) => void): void {
    for (let at = 0; at < bytes.length && !this.isLost;) {
      at = reader.read(bytes, at);
      const piece = reader.take();
      if (piece?.kind === 'message') this.tryAdapter(() => tell(piece));
    }
    if (reader.failure !== undefined) this.drop();
    else this.dropIfLost();
  }

  private dropIfLost(): void {
    const { followed } = this;
    if (followed === undefined || this.tryAdapter(() => followed.isLost) === true) this.drop();
  }

  /** Nothing is followed from here on. */
  private drop(): void {
    this.client = undefined;
    this.upstream = undefined;
  }

  /** An adapter may be one of the user's: what it throws must not cut a connection. */
  private tryAdapter<T>(call: () => T): T | undefined {
    try {
      return call();
    } catch (error) {
      this.drop();
      this.options.faulted(error);
      return undefined;
    }
  }
}

/** An adapter's words to a new upstream. */
class AdapterConversation implements Conversation, TransportUser {
  private transport: Transport | undefined = undefined;
  private pass: (frames: Buffer) => void = () => undefined;
  private settle: ((end: Resumed | MoveRejection) => void) | undefined = undefined;

  constructor(
    private readonly replay: Replay,
    private readonly reader: MessageReader,
    private readonly faulted: (error: unknown) => void,
    private readonly createFilter: (reader: MessageReader) => UpstreamFilter,
  ) {}

  get url(): string {
    return this.replay.url;
  }

  hold(transport: Transport, head: Buffer, pass: (frames: Buffer) => void): Promise<Resumed | MoveRejection> {
    return new Promise((resolve) => {
      this.transport = transport;
      this.pass = pass;
      this.settle = resolve;
      transport.user = this;
      for (const message of this.replay.first) this.send(message);
      if (this.replay.isJoined) this.end({ head: Buffer.from(head), filter: undefined });
      else this.onData(head, head.length);
      if (transport.isDestroyed) this.end('notResumed');
      else if (this.settle !== undefined) transport.resume();
    });
  }

  onData(bytes: Buffer, length: number): void {
    try {
      this.read(bytes.subarray(0, length));
    } catch (error) {
      this.faulted(error);
      this.end('notResumed');
    }
  }

  onDrain(): void {
    return;
  }

  onError(): void {
    this.end('notResumed');
  }

  onEnd(): void {
    this.end('notResumed');
  }

  onClose(): void {
    this.end('notResumed');
  }

  private read(bytes: Buffer): void {
    for (let at = 0; at < bytes.length && this.settle !== undefined;) {
      at = this.reader.read(bytes, at);
      const piece = this.reader.take();
      if (piece !== undefined) this.take(piece, bytes, at);
    }
    if (this.reader.failure !== undefined) this.end('notResumed');
  }

  private take(piece: Piece, bytes: Buffer, at: number): void {
    if (piece.kind === 'control') {
      if (piece.opcode === CLOSE) this.end('notResumed');
      else this.pass(encodeFrame(piece.opcode, piece.payload, false));
      return;
    }
    const { send = [], pass = [], opens, end }: ReplayStep = this.replay.fromBackend(piece);
    for (const message of send) this.send(message);
    for (const message of pass) this.pass(encode(message, false));
    if (end !== undefined && end !== 'joined') return this.end('notResumed');
    if (end === undefined && opens === undefined) return;
    const filter = end === 'joined' ? undefined : this.createFilter(this.reader);
    this.end({ head: Buffer.from(bytes.subarray(at)), filter });
  }

  private send(message: Message): void {
    this.transport?.writeBytes(encode(message, true));
  }

  private end(how: Resumed | MoveRejection): void {
    this.settle?.(how);
    this.settle = undefined;
    // Who waits for it takes it in a moment.
    this.transport?.pause();
  }
}

interface RepetitionFilterOptions {
  /** Of `performance.now()`. */
  readonly untilMs: number;
  readonly done: () => void;
  readonly faulted: (error: unknown) => void;
}

/** Lets the adapter see each message of a new upstream before the client does. */
class RepetitionFilter implements UpstreamFilter {
  constructor(
    private readonly replay: Replay,
    private readonly reader: MessageReader,
    private readonly options: RepetitionFilterOptions,
  ) {}

  get heldBytes(): number {
    return this.reader.heldBytes;
  }

  /** Its time has ended, and nothing would be torn. */
  get isDone(): boolean {
    if (performance.now() < this.options.untilMs) return false;
    return this.reader.isAtBoundary && this.replay.isWithin !== true;
  }

  read(bytes: Buffer, pass: (frames: Buffer) => void): Buffer | undefined {
    for (let at = 0; at < bytes.length;) {
      if (this.isDone) return this.end(bytes.subarray(at));
      at = this.reader.read(bytes, at);
      const piece = this.reader.take();
      if (piece !== undefined && this.take(piece, pass)) return this.end(bytes.subarray(at));
    }
    if (this.reader.failure === undefined) return undefined;
    throw new Error(`The upstream that a connection moved to sent a message that is ${this.reader.failure}`);
  }

  /** @returns whether that was the last one */
  private take(piece: Piece, pass: (frames: Buffer) => void): boolean {
    if (piece.kind === 'control') {
      pass(encodeFrame(piece.opcode, piece.payload, false));
      return false;
    }
    const step = this.step(piece);
    for (const message of step.pass ?? []) pass(encode(message, false));
    return step.end !== undefined;
  }

  private step(message: Message): ReplayStep {
    try {
      return this.replay.fromBackend(message);
    } catch (error) {
      this.options.faulted(error);
      return { pass: [message], end: 'joined' };
    }
  }

  private end(rest: Buffer): Buffer {
    this.options.done();
    return rest;
  }
}

function encode({ isText, payload }: Message, isMasked: boolean): Buffer {
  return encodeFrame(isText ? TEXT : BINARY, payload, isMasked);
}
