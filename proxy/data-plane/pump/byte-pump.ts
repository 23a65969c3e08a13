import type { Transport, TransportUser } from '../contract/transport';
import type { FramedTransport } from './framed-transport';

/** What a connection had come to before it was pumped. */
export interface PumpPast {
  /** Its peer has ended. */
  readonly hasReadEnd: boolean;
  /** Our own end was written. */
  readonly isShutDown: boolean;
}

export interface PumpOptions {
  /** @default - open both ways */
  readonly past?: PumpPast;
  /** So often it is looked whether the serving process is still there, while nothing of it is read. @default 5000 */
  readonly probeMs?: number;
  /** For so long one end may take nothing of what is left for it, or not close, when the other one is gone. @default 60000 */
  readonly stallMs?: number;
}

/**
 * Passes a client's bytes to the process that serves it, and those of that process to the client, for a connection that cannot leave
 * the process in which it began. It knows no protocol: an end, a close and a loss of one side are those of the other. How
 * long a client may take nothing is for the process that serves it to say.
 */
export class BytePump {
  private open = 2;

  /**
   * Begins at once.
   *
   * @param client what this process has; of an upstream it may be, too
   * @param serving leads to the process that serves it
   * @param closed called once, later, when both sides are gone
   */
  constructor(
    private readonly client: Transport,
    private readonly serving: FramedTransport,
    private readonly closed: () => void,
    { past, probeMs = 5_000, stallMs = 60_000 }: PumpOptions = {},
  ) {
    const gone = () => this.gone();
    const toServing = new Direction(client, serving, stallMs, gone);
    const toClient = new Direction(serving, client, stallMs, gone, { ms: probeMs, probe: () => serving.probe() });
    toServing.back = toClient;
    toClient.back = toServing;
    client.user = toServing;
    serving.user = toClient;
    if (past?.hasReadEnd) toServing.state = 'ended';
    if (past?.isShutDown) toClient.state = 'ended';
    toServing.begin();
    toClient.begin();
  }

  /** Asks the process that serves the client to end its connection in order. */
  askToLeave(): void {
    this.serving.askToLeave();
  }

  /** Neither side takes what it got for the whole. */
  destroy(): void {
    this.client.reset();
    this.serving.reset();
  }

  private gone(): void {
    this.open -= 1;
    if (this.open === 0) this.closed();
  }
}

interface Probing {
  readonly ms: number;
  /** `onError` follows where there is no peer any more. */
  probe(): void;
}

/** What comes from one side goes to the other. */
class Direction implements TransportUser {
  back: Direction | undefined;
  /** `ended`: the side that it comes from has. `closing`: it is gone, and the other one has not taken all. `gone`: it has, or is cut. */
  state: 'open' | 'ended' | 'closing' | 'gone' = 'open';
  /** The peer of `from` is gone: what the kernel still has of it is the rest, and its end is behind that. */
  private isRest = false;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly from: Transport,
    private readonly to: Transport,
    private readonly stallMs: number,
    private readonly gone: () => void,
    private readonly probing?: Probing,
  ) {}

  /** What was written before may not have left, and what was lost before has told another one, or none. */
  begin(): void {
    if (this.from.isDestroyed) queueMicrotask(() => this.onClose(undefined));
    else if (this.to.isBackedUp) this.wait();
    else this.from.resume();
  }

  onData(bytes: Buffer, length: number): void {
    this.to.writeBytes(length === bytes.length ? bytes : bytes.subarray(0, length));
    if (this.to.isBackedUp && !this.isRest) this.wait();
  }

  /** Of `from`: what the other direction has written to it has left. */
  onDrain(): void {
    this.back!.drained();
  }

  /** Its close follows; until then it may say why. */
  onError(): void {
    if (this.probing === undefined) return;
    this.isRest = true;
    this.from.resume();
  }

  onEnd(): void {
    this.state = 'ended';
    this.to.end();
  }

  onClose(error: Error | undefined): void {
    const { state } = this;
    if (state === 'closing' || state === 'gone') return;
    this.state = 'gone';
    clearTimeout(this.timer);
    clearTimeout(this.back!.timer);
    this.gone();
    if (error !== undefined || state === 'open') return this.to.reset();
    if (this.to.hasPending) this.state = 'closing';
    else this.to.close();
    this.watchRest(Infinity);
  }

  private drained(): void {
    if (this.to.isBackedUp) return;
    if (this.state === 'closing') return this.to.close();
    if (this.state === 'gone') return;
    clearTimeout(this.timer);
    this.timer = undefined;
    this.from.resume();
  }

  /** Of what is left for the other end, something is to leave. */
  private watchRest(before: number): void {
    if (this.to.isDestroyed) return;
    this.timer = setTimeout(() => {
      const left = this.to.pendingBytes;
      if (left > 0 && left < before) this.watchRest(left);
      else this.to.reset();
    }, this.stallMs).unref();
  }

  private wait(): void {
    this.from.pause();
    if (this.timer === undefined) this.look();
  }

  /** What is not read does not say that it is gone. */
  private look(): void {
    const { probing } = this;
    if (probing === undefined) return;
    this.timer = setTimeout(() => {
      probing.probe();
      if (this.state !== 'gone' && !this.isRest) this.look();
    }, probing.ms).unref();
  }
}
