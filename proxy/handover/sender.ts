import type { Departure } from '../data-plane/contract/handover';
import type { Clock } from '../process/clock';
import { HandlePipe, PipeMessage } from './handle-pipe';
import { FORMAT, HandoverAddress, ToReceiver, ToSender } from './messages';

/** Connections that are under way at once over one channel: each waits for as long as all of these take. */
const MAX_UNDER_WAY = 32;
/** A receiver that does not respond within this gets nothing more until it does: its process stands still, and clients wait. */
const RESPONSE_MS = 2_000;

export interface SenderEvents {
  /** Another process owns it. */
  handedOver(departure: Departure): void;
  /** It does not respond in time: what was under way goes on here, and may go when it responds. */
  late(): void;
  /** Connections that were under way go on here. */
  kept(): void;
  /** It goes on here, and will not be taken there. */
  rejected(departure: Departure, why: string): void;
  /** There is room for more. */
  ready(): void;
}

/** `open`: offers are taken. `late`: not now, since it does not respond. `over`: there is no receiver, or none that understands. */
type SenderState = 'open' | 'late' | 'over';

/**
 * The way to one process of the next generation, in two phases for each connection. It stays this process's until the receiver has
 * said that it has all of it; then it is the receiver's, with one message. Without that message the receiver
 * begins only when this process is gone. So a connection has one reader at every moment, whichever process is killed when.
 */
export class Sender {
  /** Why there is no way any more. */
  why: string | undefined;
  /** For how long a connection that was handed over was under way at most. */
  longestMs = 0;
  private state: SenderState = 'open';
  private readonly underWay = new Map<number, { readonly departure: Departure; readonly sinceMs: number }>();
  private lastId = 0;
  private cancelWatch: (() => void) | undefined;

  private constructor(
    private readonly pipe: HandlePipe,
    private readonly clock: Clock,
    private readonly events: SenderEvents,
  ) {}

  /**
   * @param admissionMs it has to be let in within this. Default: for as long as the receiver lives
   * @throws Error that says why there is no way
   */
  static async connect(
    { path, secret }: HandoverAddress,
    clock: Clock,
    events: SenderEvents,
    admissionMs?: number,
  ): Promise<Sender> {
    const pipe = await HandlePipe.connect(path);
    const sender = new Sender(pipe, clock, events);
    try {
      await sender.admit(secret, admissionMs);
    } catch (error) {
      pipe.close();
      throw error;
    }
    return sender;
  }

  get hasRoom(): boolean {
    return this.state === 'open' && this.underWay.size < MAX_UNDER_WAY;
  }

  get isOver(): boolean {
    return this.state === 'over';
  }

  get isLate(): boolean {
    return this.state === 'late';
  }

  get size(): number {
    return this.underWay.size;
  }

  offer(departure: Departure): void {
    const id = (this.lastId += 1);
    this.underWay.set(id, { departure, sinceMs: this.clock.nowMs() });
    const { data: packed, bytes, handles } = departure;
    this.send({ is: 'offer', id, packed }, { bytes, handles });
    this.watch();
  }

  /** Nothing must be under way. */
  close(): void {
    this.state = 'over';
    this.cancelWatch?.();
    this.pipe.close();
  }

  private admit(secret: string, admissionMs = Infinity): Promise<void> {
    return new Promise((resolve, reject) => {
      // It may stand still: for as long as it lives it may let this process in.
      let cancel = this.clock.after(Math.min(RESPONSE_MS, admissionMs), () => {
        this.events.late();
        if (admissionMs === Infinity) return;
        cancel = this.clock.after(admissionMs, () => reject(new Error('It does not respond')));
      });
      const heard = (by: () => void) => {
        cancel();
        by();
      };
      this.pipe.start({
        onMessage: ({ data }) => {
          const message = data as ToSender;
          if (message.is === 'admitted') {
            this.pipe.user = {
              onMessage: (next) => this.onMessage(next),
              onEnd: () => this.onEnd(),
              onFault: (error) => this.onFault(error),
            };
            heard(resolve);
          } else
            heard(() =>
              reject(new Error(message.is === 'notAdmitted' ? message.why : 'It does not let this process in')),
            );
        },
        onEnd: () => heard(() => reject(new Error('It does not let this process in'))),
        onFault: (error) => heard(() => reject(error)),
      });
      this.send({ is: 'hello', secret, format: FORMAT });
    });
  }

  private onMessage({ data }: Required<PipeMessage>): void {
    const message = data as ToSender;
    if (this.state === 'late') this.state = 'open';
    switch (message.is) {
      case 'taken':
        return this.release(message.ids);
      case 'rejected':
        return this.rejected(message.id, message.why);
      case 'fault':
        return this.onFault(new Error(message.why));
      case 'admitted':
      case 'notAdmitted':
        return;
    }
  }

  /** It is said before it is done: a process that is killed in between closes its copies by that. */
  private release(ids: readonly number[]): void {
    const found = ids.filter((id) => this.underWay.has(id));
    if (found.length > 0) this.send({ is: 'yours', ids: found });
    for (const id of found) {
      const { departure, sinceMs } = this.underWay.get(id)!;
      this.longestMs = Math.max(this.longestMs, this.clock.nowMs() - sinceMs);
      this.underWay.delete(id);
      departure.release();
      this.events.handedOver(departure);
    }
    this.events.ready();
  }

  private rejected(id: number, why: string): void {
    const offered = this.underWay.get(id);
    if (offered === undefined) return;
    this.underWay.delete(id);
    offered.departure.keep();
    this.events.rejected(offered.departure, why);
    this.events.ready();
  }

  /** It is gone, and had read nothing: what it had not taken goes on here. */
  private onEnd(): void {
    this.stop('It is gone');
    for (const id of [...this.underWay.keys()]) this.keep(id);
    this.events.kept();
    this.events.ready();
  }

  private onFault(error: Error): void {
    this.stop(error.message);
    this.callBack();
  }

  private stop(why: string): void {
    this.state = 'over';
    this.why ??= why;
    this.cancelWatch?.();
  }

  /**
   * What is under way goes on here. Nothing is read before the kernel has the message: if this process were killed in between, the
   * receiver would begin behind bytes that were read here.
   */
  private callBack(): void {
    const ids = [...this.underWay.keys()];
    if (ids.length === 0) return this.events.ready();
    const departures = ids.map((id) => this.underWay.get(id)!.departure);
    this.underWay.clear();
    this.events.kept();
    this.send({ is: 'back', ids }, {}, () => {
      for (const departure of departures) departure.keep();
      this.events.kept();
      this.events.ready();
    });
  }

  private keep(id: number): void {
    const { departure } = this.underWay.get(id)!;
    this.underWay.delete(id);
    departure.keep();
  }

  private watch(): void {
    if (this.cancelWatch !== undefined) return;
    this.cancelWatch = this.clock.after(RESPONSE_MS, () => {
      this.cancelWatch = undefined;
      const [first] = this.underWay.values();
      if (this.state !== 'open' || first === undefined) return;
      if (this.clock.nowMs() - first.sinceMs < RESPONSE_MS) return this.watch();
      this.state = 'late';
      this.events.late();
      this.callBack();
    });
  }

  private send(data: ToReceiver, more: Partial<PipeMessage> = {}, left?: () => void): void {
    this.pipe.send({ data, ...more }, left);
  }
}
