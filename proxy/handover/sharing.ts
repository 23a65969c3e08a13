import { ShareCounter } from '../../core/proxy/restart';
import type { Departure } from '../data-plane/contract/handover';
import type { Clock } from '../process/clock';
import type { HandoverAddress } from './messages';
import { Sender, SenderEvents } from './sender';

export interface SharingOptions {
  readonly plane: { share(give: ((departure: Departure) => boolean) | undefined): boolean };
  readonly clock: Clock;
  readonly log: { warn(figures: object, message: string): void };
}

/** A canary that does not respond within this gets no share. */
const ADMISSION_MS = 30_000;

/**
 * Gives a share of the connections that this process accepts to processes of another generation, before anything of them is read. One
 * that no process takes is served here: a canary that hangs or has died costs no connection that it has not taken.
 */
export class Sharing implements SenderEvents {
  private counter = new ShareCounter(0);
  private senders: readonly Sender[] = [];
  private isOver = false;
  private lastRejection = '';

  private constructor(private readonly options: SharingOptions) {}

  /** @throws Error that says why this process cannot */
  static async start(addresses: readonly HandoverAddress[], options: SharingOptions): Promise<Sharing> {
    const sharing = new Sharing(options);
    const connected = await Promise.allSettled(
      addresses.map((address) => Sender.connect(address, options.clock, sharing, ADMISSION_MS)),
    );
    sharing.senders = connected.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    const failed = connected.find((one) => one.status === 'rejected');
    if (failed === undefined && options.plane.share((departure) => sharing.give(departure))) return sharing;
    sharing.stop();
    throw new Error((failed?.reason as Error | undefined)?.message ?? 'This Node.js does not say what it accepts');
  }

  /** Counts anew. */
  setShare(share: number): void {
    this.counter = new ShareCounter(share);
  }

  /** What is under way is settled first. */
  stop(): void {
    this.isOver = true;
    this.options.plane.share(undefined);
    this.closeIdle();
  }

  private give(departure: Departure): boolean {
    if (!this.counter.next()) return false;
    const sender = this.findSender();
    sender?.offer(departure);
    return sender !== undefined;
  }

  /** The one with the least to do. */
  private findSender(): Sender | undefined {
    const free = this.senders.filter(({ hasRoom }) => hasRoom);
    return free.reduce<Sender | undefined>((best, one) => (best && best.size <= one.size ? best : one), undefined);
  }

  // What the senders tell.

  handedOver(): void {
    return;
  }

  late(): void {
    // Its share is accepted here meanwhile.
  }

  kept(): void {
    // It is accepted here.
  }

  rejected(_: Departure, why: string): void {
    if (why !== this.lastRejection) this.options.log.warn({ why }, 'The canary did not take a connection');
    this.lastRejection = why;
  }

  ready(): void {
    if (this.isOver) this.closeIdle();
  }

  private closeIdle(): void {
    for (const sender of this.senders) if (sender.size === 0 && !sender.isOver) sender.close();
  }
}
