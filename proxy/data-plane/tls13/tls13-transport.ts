import type { Socket } from 'node:net';
import { ALERTS, AlertName, TlsAlertReceived, TlsFault, formatAlert, readAlert } from './record-layer/alerts';
import { NO_USER, Peer, Transport, TransportUser } from '../contract/transport';
import { PostHandshakeReader, formatKeyUpdate } from './record-layer/post-handshake';
import { RecordSplitter } from './record-layer/record-splitter';
import {
  CONTENT,
  ContentType,
  MAX_CONTENT_BYTES,
  OpenedRecord,
  RECORD_OVERHEAD,
  openRecord,
  sealRecord,
} from './record-layer/records';
import type { Tls13State } from './tls13-state';
import type { TrafficKeys } from './record-layer/traffic-keys';
import { HandleTransport, PackedTransport } from '../transport/handle-transport';
import { TransportStream } from '../transport/transport-stream';

/**
 * RFC 8446 section 5.5: AES-GCM keys are good for 2^24.5 full records. Long before that both directions get new ones, whatever the
 * suite.
 */
const MAX_KEY_RECORDS = 2 ** 23;
/** For how long a peer may go on after our last word before its connection is cut. */
const LINGER_MS = 1_000;
/** Without data in between, as for OpenSSL. */
const MAX_EMPTY_RECORDS = 32;
const KEY_UPDATE_BYTES = 5 + RECORD_OVERHEAD;
const NOTHING = Buffer.alloc(0);

/** Records on their way to the transport below, which copies what it cannot write at once. */
const sealed = Buffer.allocUnsafeSlow(8 * (MAX_CONTENT_BYTES + RECORD_OVERHEAD) + KEY_UPDATE_BYTES);

/**
 * `failed`: a rule was broken, and our alert is on its way. `destroyed`: the connection below is closed, or is being closed. In both
 * the user has no part in it any more.
 */
type Tls13Life = 'live' | 'failed' | 'destroyed';

export interface Tls13Options {
  /** Records that one key protects before a new one takes its place. @default 2^23 */
  readonly maxKeyRecords?: number;
  /** Called once, when the connection has ended, or was taken out. */
  readonly gone?: () => void;
}

/** A connection that was taken out of a transport, between two records. */
export interface PackedTls13 {
  readonly below: PackedTransport;
  readonly state: Tls13State;
}

/**
 * Continues the server's side of a TLS 1.3 connection whose handshake another process did: records, alerts and key updates of RFC 8446,
 * over a transport of its TCP connection. A peer that breaks a rule gets the RFC's alert, and the connection ends; nothing reaches
 * the user that was not authenticated.
 */
export class Tls13Transport implements Transport, TransportUser {
  user: TransportUser = NO_USER;
  isPaused = false;
  readonly isTls = true;
  private readonly readKeys: TrafficKeys;
  private readonly writeKeys: TrafficKeys;
  private readonly maxContentBytes: number;
  private readonly maxKeyRecords: number;
  private readonly gone: () => void;
  private readonly records = new RecordSplitter();
  private handshake: PostHandshakeReader | undefined = undefined;
  /** What the process before has read, and its user had not. */
  private plaintext: Buffer | undefined;
  private life: Tls13Life = 'live';
  private error: Error | undefined = undefined;
  /** `ended`: our close_notify was written, and nothing may follow it. */
  private writeState: 'open' | 'ended' = 'open';
  /** `ending`: the TCP connection's end was read, and records before it wait. `ended`: what follows is ignored. */
  private readState: 'open' | 'ending' | 'ended' = 'open';
  private isFlushing = false;
  private emptyRecords = 0;
  /** We asked for new keys, and they have not come. */
  private hasAskedForKeys = false;
  /** The peer asked for new keys of ours while nothing more could be written. */
  private owesKeyUpdate = false;
  private linger: NodeJS.Timeout | undefined = undefined;

  /**
   * @param below the TCP connection. What was read of it is in the state
   * @param state the transport's own from now on. Of what has come in nothing is given to the user within this call
   */
  constructor(
    private readonly below: Transport,
    state: Tls13State,
    { maxKeyRecords = MAX_KEY_RECORDS, gone = () => undefined }: Tls13Options = {},
  ) {
    this.readKeys = state.read;
    this.writeKeys = state.write;
    this.maxContentBytes = state.maxContentBytes;
    this.maxKeyRecords = maxKeyRecords;
    this.gone = gone;
    this.plaintext = state.plaintext.length > 0 ? state.plaintext : undefined;
    if (state.unopened.length > 0) this.records.add(state.unopened, state.unopened.length);
    below.user = this;
    this.flushSoon();
  }

  /** Nothing of it is under way in this process, and it is open both ways: `pack` may be called. */
  get isQuiet(): boolean {
    const { below } = this;
    const isOpen = this.isWritable && this.readState === 'open';
    const isBetween = !this.owesKeyUpdate && this.handshake?.isWithin !== true;
    return isOpen && isBetween && below instanceof HandleTransport && below.isQuiet;
  }

  /** Takes the connection out; nothing is read any more. The transport is of no use afterwards. */
  pack(): PackedTls13 {
    const below = (this.below as HandleTransport).pack();
    const { maxContentBytes, plaintext = NOTHING, records } = this;
    const state = { read: this.readKeys.copy(), write: this.writeKeys.copy(), maxContentBytes };
    const unopened = records.takeRest();
    this.leave('destroyed');
    this.gone();
    return { below, state: { ...state, plaintext, unopened } };
  }

  write(text: string): void {
    if (this.isWritable) this.protect(CONTENT.applicationData, text, 0);
  }

  writeBytes(bytes: Buffer, before = ''): void {
    if (!this.isWritable) return;
    if (before === '') this.protect(CONTENT.applicationData, bytes, 0);
    else if (before.length + bytes.length <= this.maxContentBytes)
      this.protect(CONTENT.applicationData, Buffer.concat([Buffer.from(before, 'latin1'), bytes]), 0);
    else {
      this.protect(CONTENT.applicationData, before, 0);
      this.protect(CONTENT.applicationData, bytes, 0);
    }
  }

  get hasFailed(): boolean {
    return this.life === 'failed' || this.below.hasFailed;
  }

  get isBackedUp(): boolean {
    return this.below.isBackedUp;
  }

  get hasPending(): boolean {
    return this.below.hasPending;
  }

  get pendingBytes(): number {
    return this.below.pendingBytes;
  }

  pause(): void {
    this.isPaused = true;
    if (this.life === 'live') this.below.pause();
  }

  resume(): void {
    this.isPaused = false;
    if (this.life !== 'live') return;
    this.below.resume();
    this.flushSoon();
  }

  end(): void {
    if (!this.isWritable) return;
    this.lastWord('close_notify');
    if (this.readState === 'ended') this.closeSoon();
  }

  close(): void {
    if (this.isWritable) this.protect(CONTENT.alert, formatAlert('close_notify'), 0);
    if (this.life !== 'live') return;
    this.leave('destroyed');
    this.below.close();
  }

  destroy(): void {
    if (this.life !== 'live') return;
    this.leave('destroyed');
    this.below.destroy();
  }

  reset(): void {
    if (this.life !== 'live') return;
    this.leave('destroyed');
    this.below.reset();
  }

  get isDestroyed(): boolean {
    return this.life !== 'live';
  }

  get peer(): Peer {
    return this.below.peer;
  }

  set peer(peer: Peer) {
    this.below.peer = peer;
  }

  /** The stream goes on with this transport. */
  giveUp(bytes: Buffer): Socket {
    return new TransportStream(this, bytes) as unknown as Socket;
  }

  // For the transport below.

  onData(bytes: Buffer, length: number): void {
    if (this.life !== 'live' || this.readState === 'ended') return;
    if (this.attempt(() => this.records.add(bytes, length))) this.deliver();
  }

  onDrain(): void {
    if (this.life !== 'live') return;
    if (this.owesKeyUpdate && this.isWritable) this.sendKeyUpdate(false);
    this.user.onDrain();
  }

  onError(error: Error): void {
    if (this.life === 'live') this.user.onError(error);
  }

  onEnd(): void {
    if (this.life === 'failed') return this.below.destroy();
    if (this.readState !== 'open') return;
    this.readState = 'ending';
    this.deliver();
  }

  onClose(error: Error | undefined): void {
    clearTimeout(this.linger);
    this.gone();
    // The user of a failed one knows.
    if (this.life === 'failed') return;
    this.leave('destroyed');
    this.user.onClose(this.error ?? error);
  }

  // What comes in.

  private flushSoon(): void {
    if (this.isFlushing || (this.plaintext === undefined && this.records.isEmpty && this.readState !== 'ending'))
      return;
    this.isFlushing = true;
    queueMicrotask(() => {
      this.isFlushing = false;
      this.deliver();
    });
  }

  /** Gives the user what has come, until it wants no more. */
  private deliver(): void {
    const { plaintext } = this;
    if (plaintext !== undefined && this.isReading) {
      this.plaintext = undefined;
      this.user.onData(plaintext, plaintext.length);
    }
    while (this.isReading) {
      const opened = this.openNext();
      if (opened === undefined) break;
      if (opened.length > 0) this.user.onData(opened.content, opened.length);
    }
    this.attempt(() => this.records.park());
    if (this.readState === 'ending' && this.isReading) this.endOfConnection();
  }

  private get isReading(): boolean {
    return this.life === 'live' && this.readState !== 'ended' && !this.isPaused;
  }

  /** The content of the next record that is for the user, or of one that has none for it; undefined when no whole one has come. */
  private openNext(): OpenedRecord | undefined {
    let opened: OpenedRecord | undefined;
    const isRight = this.attempt(() => {
      const record = this.records.next();
      if (record === undefined) return;
      opened = openRecord(this.readKeys, record);
      this.take(opened);
    });
    return isRight ? opened : undefined;
  }

  /** @throws {TlsFault} */
  private take(opened: OpenedRecord): void {
    const { type, content, length } = opened;
    if (type !== CONTENT.handshake) this.handshake?.interrupt(type === CONTENT.applicationData && length > 0);
    switch (type) {
      case CONTENT.applicationData:
        this.emptyRecords = length > 0 ? 0 : this.emptyRecords + 1;
        if (this.emptyRecords > MAX_EMPTY_RECORDS)
          throw new TlsFault('unexpected_message', `at most ${MAX_EMPTY_RECORDS} empty records come in a row`);
        break;
      case CONTENT.handshake:
        this.takeHandshake(content, length);
        opened.length = 0;
        break;
      case CONTENT.alert:
        this.takeAlert(readAlert(content, length));
        opened.length = 0;
        break;
    }
    if (this.readKeys.sequence >= this.maxKeyRecords) this.askForKeys();
  }

  private takeHandshake(content: Buffer, length: number): void {
    const update = (this.handshake ??= new PostHandshakeReader()).read(content, length);
    if (update === undefined) return;
    this.readKeys.update();
    this.hasAskedForKeys = false;
    if (update === 'update' || !this.isWritable) return;
    // One serves for all that were asked for while nothing more could be written (RFC 8446 section 4.6.3).
    if (this.below.isBackedUp) this.owesKeyUpdate = true;
    else this.sendKeyUpdate(false);
  }

  /** The level says nothing: all but these end the connection (RFC 8446 section 6). */
  private takeAlert(alert: number): void {
    if (alert === ALERTS.user_canceled) return;
    if (alert === ALERTS.close_notify) return this.endOfPeer();
    this.error = new TlsAlertReceived(alert);
    this.destroy();
  }

  /** A TCP connection that ends without a close_notify is an end for the user, as it is with Node's TLS: their protocols have ends. */
  private endOfConnection(): void {
    if (this.records.isEmpty) return this.endOfPeer();
    this.error = Object.assign(new Error('the connection ended within a TLS record'), { code: 'ERR_TLS13_TRUNCATED' });
    this.destroy();
  }

  private endOfPeer(): void {
    this.readState = 'ended';
    this.records.clear();
    this.user.onEnd();
    if (this.writeState === 'ended') this.closeSoon();
  }

  private askForKeys(): void {
    if (this.hasAskedForKeys || !this.isWritable) return;
    this.hasAskedForKeys = true;
    this.sendKeyUpdate(true);
  }

  // What leaves.

  private get isWritable(): boolean {
    return this.life === 'live' && this.writeState === 'open';
  }

  private protect(type: ContentType, content: Buffer | string, from: number): void {
    let at = this.owesKeyUpdate ? this.sealKeyUpdate(false, 0) : 0;
    for (let begin = from; begin < content.length; begin += this.maxContentBytes) {
      const end = Math.min(content.length, begin + this.maxContentBytes);
      if (at + (end - begin) + RECORD_OVERHEAD + KEY_UPDATE_BYTES > sealed.length) at = this.flush(at);
      if (this.writeKeys.sequence >= this.maxKeyRecords) at = this.sealKeyUpdate(false, at);
      const isWhole = begin === 0 && end === content.length;
      const piece = isWhole
        ? content
        : typeof content === 'string'
          ? content.slice(begin, end)
          : content.subarray(begin, end);
      at = sealRecord(this.writeKeys, type, piece, sealed, at);
    }
    this.flush(at);
  }

  private sendKeyUpdate(isRequest: boolean): void {
    this.flush(this.sealKeyUpdate(isRequest, 0));
  }

  /** All that follows is protected by the next keys. */
  private sealKeyUpdate(isRequest: boolean, at: number): number {
    this.owesKeyUpdate = false;
    const end = sealRecord(this.writeKeys, CONTENT.handshake, formatKeyUpdate(isRequest), sealed, at);
    this.writeKeys.update();
    return end;
  }

  private flush(length: number): number {
    if (length > 0) this.below.writeBytes(sealed.subarray(0, length));
    return 0;
  }

  private lastWord(alert: AlertName): void {
    this.protect(CONTENT.alert, formatAlert(alert), 0);
    this.writeState = 'ended';
    this.below.end();
  }

  // The end.

  /** @returns false where a rule was broken, and the connection has failed */
  private attempt(call: () => void): boolean {
    try {
      call();
      return true;
    } catch (error) {
      if (!(error instanceof TlsFault)) throw error;
      this.fail(error);
      return false;
    }
  }

  private fail(fault: TlsFault): void {
    this.error = fault;
    if (this.isWritable) this.lastWord(fault.alert);
    this.leave('failed');
    this.closeSoon();
    queueMicrotask(() => this.user.onClose(fault));
  }

  /** Both sides have said their last word. A close while something unread arrives would be a reset, and take that word away. */
  private closeSoon(): void {
    this.below.resume();
    this.linger ??= setTimeout(() => this.below.destroy(), LINGER_MS).unref();
  }

  private leave(life: 'failed' | 'destroyed'): void {
    this.life = life;
    this.plaintext = undefined;
    this.records.clear();
    this.readKeys.wipe();
    this.writeKeys.wipe();
  }
}
