import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { Socket } from 'node:net';
import type { Arrival, Handing } from '../data-plane/contract/handover';
import { HandlePipe, PipeMessage } from './handle-pipe';
import { FORMAT, HandoverAddress, ToReceiver, ToSender } from './messages';
import { PrivateSocket, listenPrivately, removeLeftSockets } from '../data-plane/shared/private-socket';

const SECRET_BYTES = 32;

export interface ReceiverLog {
  warn(figures: object, message: string): void;
}

/** Takes connections over from processes of the generation before. */
export class Receiver {
  private readonly channels = new Set<Arrivals>();

  private constructor(
    private readonly handing: Handing,
    private readonly log: ReceiverLog,
    private readonly secret: string,
  ) {}

  /** Called when it listens no more. */
  onStop: () => void = () => undefined;
  private socket: PrivateSocket | undefined;

  /** @throws Error of the system, where there can be no socket for it */
  static async listen(handing: Handing, log: ReceiverLog): Promise<Receiver> {
    void removeLeftSockets();
    const receiver = new Receiver(handing, log, randomBytes(SECRET_BYTES).toString('base64url'));
    receiver.socket = await listenPrivately((socket) => receiver.accept(socket));
    return receiver;
  }

  get address(): HandoverAddress {
    return { path: this.socket!.path, secret: this.secret };
  }

  /** No other process can connect; those that have go on. */
  async stopListening(): Promise<void> {
    this.onStop();
    await this.socket?.close();
  }

  private accept(socket: Socket): void {
    try {
      const channel = new Arrivals(HandlePipe.accept(socket), this.handing, this.secret, {
        ended: (why) => {
          if (why !== undefined) this.log.warn({ why }, 'Connections of the generation before are not taken over');
          this.channels.delete(channel);
        },
        lost: (why) => this.log.warn({ why }, 'A connection of the generation before was lost as it was taken over'),
      });
      this.channels.add(channel);
    } catch (error) {
      socket.destroy();
      this.log.warn({ why: (error as Error).message }, 'Connections of the generation before are not taken over');
    }
  }
}

interface ArrivalsEvents {
  /** @param why undefined where it was in order */
  ended(why: string | undefined): void;
  /** An error of our own: the others go on. */
  lost(why: string): void;
}

/**
 * What one process hands over. An arrival is not read while its sender can still read it: it begins when the sender says that it
 * has released it, or is gone without having said that it reads on. The kernel keeps the order of both.
 */
class Arrivals {
  private readonly arrivals = new Map<number, Arrival>();
  private isKnown = false;
  private taken: number[] = [];

  constructor(
    private readonly pipe: HandlePipe,
    private readonly handing: Handing,
    private readonly secret: string,
    private readonly events: ArrivalsEvents,
  ) {
    pipe.start({
      onMessage: (message) => this.onMessage(message),
      onEnd: () => this.onEnd(),
      onFault: (error) => this.onFault(error),
    });
  }

  private onMessage(message: Required<PipeMessage>): void {
    const data = message.data as ToReceiver;
    if (!this.isKnown) return this.admit(message);
    switch (data.is) {
      case 'hello':
        return;
      case 'offer':
        return this.take(data, message);
      case 'yours':
        for (const id of data.ids) this.settle(id, (arrival) => arrival.begin());
        return;
      case 'back':
        for (const id of data.ids) this.settle(id, (arrival) => arrival.drop());
    }
  }

  private admit({ data, handles }: Required<PipeMessage>): void {
    const message = data as ToReceiver;
    if (handles.length > 0 || message.is !== 'hello' || !this.isSecret(message.secret)) {
      for (const handle of handles) handle.close();
      return this.pipe.close();
    }
    if (message.format !== FORMAT)
      return this.send({ is: 'notAdmitted', why: `It must speak format ${FORMAT}, got ${message.format}` });
    this.isKnown = true;
    this.send({ is: 'admitted' });
  }

  private isSecret(given: unknown): boolean {
    const [wanted, got] = [Buffer.from(this.secret), Buffer.from(String(given))];
    return wanted.length === got.length && timingSafeEqual(wanted, got);
  }

  private take({ id, packed }: Extract<ToReceiver, { is: 'offer' }>, { bytes, handles }: Required<PipeMessage>): void {
    try {
      this.arrivals.set(id, this.handing.arrive({ data: packed, bytes, handles }));
    } catch (error) {
      for (const handle of handles) handle.close();
      return this.send({ is: 'rejected', id, why: (error as Error).message });
    }
    // One response to all that came together.
    if (this.taken.push(id) > 1) return;
    queueMicrotask(() => {
      const ids = this.taken;
      this.taken = [];
      this.send({ is: 'taken', ids });
    });
  }

  private settle(id: number, how: (arrival: Arrival) => void): void {
    const arrival = this.arrivals.get(id);
    this.arrivals.delete(id);
    try {
      if (arrival !== undefined) how(arrival);
    } catch (error) {
      this.events.lost((error as Error).message);
    }
  }

  /** It is gone, and read none of what it had not called back. */
  private onEnd(): void {
    for (const id of [...this.arrivals.keys()]) this.settle(id, (arrival) => arrival.begin());
    this.events.ended(undefined);
  }

  /** Which of them are released is not known any more: none may have two readers. */
  private onFault(error: Error): void {
    for (const id of [...this.arrivals.keys()]) this.settle(id, (arrival) => arrival.drop());
    this.send({ is: 'fault', why: error.message });
    this.events.ended(error.message);
  }

  private send(data: ToSender): void {
    this.pipe.send({ data });
  }
}
