import type { Transport, TransportUser } from '../contract/transport';

/**
 * Passes a client's bytes to the process that serves it, and those of that process to the client, for a connection that cannot leave
 * the process in which it began. It knows no protocol: an end, a close and a loss of one side are those of the other.
 */
export class BytePump {
  private readonly toServing: Direction;
  private readonly toClient: Direction;
  private open = 2;

  /**
   * @param client what this process has
   * @param serving leads to the process that serves it
   * @param stallMs for how long one side may take nothing while something waits for it. While it waits, the loss of the other side
   *   goes unnoticed
   * @param closed called once, when both sides are gone
   */
  constructor(
    private readonly client: Transport,
    private readonly serving: Transport,
    stallMs: number,
    private readonly closed: () => void,
  ) {
    const gone = () => this.gone();
    this.toServing = new Direction(client, serving, stallMs, gone);
    this.toClient = new Direction(serving, client, stallMs, gone);
    this.toServing.back = this.toClient;
    this.toClient.back = this.toServing;
    client.user = this.toServing;
    serving.user = this.toClient;
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

/** What comes from one side goes to the other. */
class Direction implements TransportUser {
  back: Direction | undefined;
  /** `ended`: the side that it comes from has. `closing`: it is gone, and the other one has not taken all. */
  private state: 'open' | 'ended' | 'closing' = 'open';
  private stall: NodeJS.Timeout | undefined;

  constructor(
    private readonly from: Transport,
    private readonly to: Transport,
    private readonly stallMs: number,
    private readonly gone: () => void,
  ) {}

  onData(bytes: Buffer, length: number): void {
    this.to.writeBytes(length === bytes.length ? bytes : bytes.subarray(0, length));
    if (!this.to.isBackedUp) return;
    this.from.pause();
    this.stall ??= setTimeout(() => this.cut(), this.stallMs).unref();
  }

  /** Of `from`: what the other direction has written to it has left. */
  onDrain(): void {
    this.back!.drained();
  }

  onError(): void {
    // Its close follows; until then it may say why.
  }

  onEnd(): void {
    this.state = 'ended';
    this.to.end();
  }

  onClose(error: Error | undefined): void {
    clearTimeout(this.stall);
    this.gone();
    if (error !== undefined || this.state === 'open') this.to.reset();
    else if (this.to.hasPending) {
      this.state = 'closing';
      this.stall = setTimeout(() => this.to.reset(), this.stallMs).unref();
    } else this.to.close();
  }

  private drained(): void {
    if (this.to.isBackedUp) return;
    clearTimeout(this.stall);
    this.stall = undefined;
    if (this.state === 'closing') this.to.close();
    else this.from.resume();
  }

  private cut(): void {
    this.from.reset();
    this.to.reset();
  }
}
