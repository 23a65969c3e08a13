import { ServerState, nextPromotion } from '../../core/state/replication';
import { settle, settleWithin } from '../contract/settle';
import type { Guard, StoreServer } from '../contract/store-ports';
import { ReplicaWay, findPromotionGuard } from './replicas';
import { MARKER } from './stores';

/** For the side that was left, once the other one is a primary: requests wait for it. */
const DEMOTE_MS = 500;

interface PromotionMeans {
  /** From 1 on. */
  readonly attempt: number;
  readonly isLast: boolean;
  /** Whether the plan gives up what the side that was left has: then a primary is right whatever it holds. */
  readonly mayLose: boolean;
  readonly failoverMs: number;
  /** How long writes to the side that was left wait, where it has to be left without a failover. */
  readonly pauseMs: number;
  /** Whether its time has passed. Nothing is changed from then on. */
  isOver(): boolean;
  pause(): Promise<void>;
}

/** Behind a commit: the store that was replicated to is made the primary, and the other one its replica, before a request goes to it. */
export class StorePromotion {
  private hasAsked = false;

  constructor(
    private readonly to: StoreServer,
    /** Undefined where it does not respond. */
    private readonly from: StoreServer | undefined,
    private readonly way: Pick<ReplicaWay, 'from' | 'to'>,
    private readonly means: PromotionMeans,
  ) {}

  /** @throws Error when it is no primary in the end */
  async run(): Promise<void> {
    const guard = await findPromotionGuard(this.to, this.way.to);
    if (!guard) throw new Error(`${this.rule}, got the mark of a switch the other way`);
    while (!(await this.advance(guard))) {
      if (this.means.isOver()) throw new Error(`${this.rule}, got no end in its time`);
      await this.means.pause();
    }
    await this.demote(guard);
    await this.to.thaw();
    if (guard.text !== undefined) await this.to.remove([MARKER], guard);
  }

  private get rule(): string {
    return `the store of the ${this.way.to} must become a primary`;
  }

  /** @returns whether it is one */
  private async advance(guard: Guard): Promise<boolean> {
    const [left, next] = await Promise.all([this.readLeft(), this.to.readState()]);
    const isMarked = this.means.mayLose || guard.text !== undefined;
    const { attempt, isLast } = this.means;
    const move = nextPromotion({ from: left, to: next, place: this.to.place, attempt, isLast, isMarked });
    switch (move.kind) {
      case 'done':
        return true;
      case 'refuse':
        throw new Error(`${this.rule}, got ${move.got}`);
      case 'failOver':
        // Accepted, and not done: both are read until they have changed places.
        if (!this.hasAsked) await this.from!.failOver(move.replica, this.means.failoverMs, guard);
        this.hasAsked = true;
        return false;
      case 'promote':
        await this.promote(left, guard);
        return false;
      case 'wait':
        return false;
    }
  }

  /** A server that has died in the middle is as one that never responded. */
  private async readLeft(): Promise<ServerState | undefined> {
    const read = this.from && (await settle(() => this.from!.readState()));
    return read && 'value' in read ? read.value : undefined;
  }

  /** Without the help of the other one. Where that one lives, its writes wait until it is a replica. */
  private async promote(left: ServerState | undefined, guard: Guard): Promise<void> {
    if (left?.role === 'primary') await settle(() => this.from!.freeze(this.means.pauseMs));
    if (!this.means.isOver()) await this.to.promote(guard);
  }

  /** It follows the store that took its place. One that is dead is left: what it holds is copied over by a rollback. */
  private async demote(guard: Guard): Promise<void> {
    const { from } = this;
    if (!from) return;
    await settleWithin(DEMOTE_MS, `'thaw' of the ${this.way.from}`, async () => {
      const { role } = await from.readState();
      if (role === 'primary') await from.replicate(this.to.place, guard);
      // A replica that is paused applies nothing.
      await from.thaw();
    });
  }
}
