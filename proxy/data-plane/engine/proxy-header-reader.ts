import type { RejectedRequest } from '../contract/data-plane';
import { Holder, NEW_CONNECTION_BYTES } from '../shared/memory-budget';
import { ProxyHeaderFault, readProxyHeader } from './proxy-protocol';
import type { Ticker, Ticking } from '../shared/ticker';
import { NO_USER, Transport, TransportUser } from '../contract/transport';

export interface HeaderReaderContext {
  readonly ticker: Ticker;
  /** A header must be complete after this. */
  readonly headMs: number;
  /** Told of a connection that began without a header. */
  readonly refused: (rejection: RejectedRequest) => void;
}

/** The connections whose PROXY header is yet to come. */
export class ProxyHeaderReaders {
  private readonly waiting = new Set<HeaderReader>();

  constructor(private readonly context: HeaderReaderContext) {}

  /**
   * Reads the header of a connection; its peer is then the client that the header names.
   *
   * @param begin called with what came behind the header, which is borrowed; never if there was none
   */
  read(transport: Transport, begin: (rest: Buffer) => void): void {
    const reader = new HeaderReader(transport, this.context, begin, () => this.waiting.delete(reader));
    this.waiting.add(reader);
  }

  get size(): number {
    return this.waiting.size;
  }

  get all(): Iterable<Holder> {
    return this.waiting;
  }

  destroy(): void {
    for (const reader of [...this.waiting]) reader.shed();
  }
}

class HeaderReader implements TransportUser, Ticking, Holder {
  private taken = Buffer.alloc(0);
  private readonly sinceMs: number;

  constructor(
    private readonly transport: Transport,
    private readonly context: HeaderReaderContext,
    private readonly begin: (rest: Buffer) => void,
    private readonly left: () => void,
  ) {
    this.sinceMs = context.ticker.nowMs;
    transport.user = this;
    context.ticker.add(this);
  }

  onData(bytes: Buffer, length: number): void {
    const came = Buffer.concat([this.taken, bytes.subarray(0, length)]);
    const header = readProxyHeader(came);
    if (header === 'incomplete') {
      this.taken = came;
      return;
    }
    this.leave();
    if (header instanceof ProxyHeaderFault) {
      this.context.refused({ status: 400, address: this.transport.peer.address, why: header.why });
      // The specification leaves no room for a response: who did not send a header may not be spoken to.
      return this.transport.reset();
    }
    if (header.client) this.transport.peer = header.client;
    this.begin(came.subarray(header.length));
  }

  tick(nowMs: number): void {
    if (nowMs - this.sinceMs > this.context.headMs) this.transport.destroy();
  }

  /** A TCP health check, or a client that changed its mind: nothing was asked. */
  onEnd(): void {
    this.transport.destroy();
  }

  onClose(): void {
    this.leave();
  }

  onDrain(): void {
    // Nothing was written.
  }

  onError(): void {
    // Nothing was written.
  }

  get heldBytes(): number {
    return NEW_CONNECTION_BYTES + this.taken.length;
  }

  shed(): void {
    this.transport.reset();
  }

  private leave(): void {
    this.transport.user = NO_USER;
    this.context.ticker.remove(this);
    this.left();
  }
}
