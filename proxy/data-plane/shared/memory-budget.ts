import { MemoryState, memoryState, findWorst } from '../../../core/proxy/memory-budget';
import type { Notice } from '../contract/data-plane';
import type { Ticking } from './ticker';

/** A connection of a client, with all that it keeps in memory. */
export interface Holder {
  /** An estimate, rather too high. Not for every byte: a few native calls. */
  readonly heldBytes: number;
  /** Ends it at once, so that its client does not take what it has for the whole. */
  shed(): void;
}

/** What a connection costs before it holds anything, on both sides; measured. */
export const CONNECTION_BYTES = 8 * 1024;
export const TLS_BYTES = 48 * 1024;
/** What a request under way costs: its exchange, and the connection to the upstream. */
export const EXCHANGE_BYTES = 16 * 1024;
/** Of a connection that has just come: it counts with the request that it comes for. Let in without, it might be closed for that. */
export const NEW_CONNECTION_BYTES = CONNECTION_BYTES + EXCHANGE_BYTES;

const LOOK_MS = 250;
const SAY_MS = 1_000;

/** Keeps what the connections of clients hold below a budget: who comes is rejected first, then the largest are closed. */
export class MemoryBudget implements Ticking {
  state: MemoryState = 'free';
  heldBytes = 0;
  /** Connections that were closed for it, since the start. */
  shed = 0;
  private lookedMs = -Infinity;
  private freeMs: number | undefined;
  /** At the last look: `admit` changes the state between two. */
  private wasFree = true;
  private unsaid = 0;
  private saidMs = -Infinity;

  constructor(
    readonly budgetBytes: number,
    private readonly holders: () => Iterable<Holder>,
    /** Bytes of connections that are not holders yet. */
    private readonly others: () => number,
    private readonly noticed: ((notice: Notice) => void) | undefined,
  ) {}

  /** Counts one that comes between two looks. */
  admit(bytes: number): void {
    this.heldBytes += bytes;
    if (this.state === 'free' && memoryState(this.heldBytes, this.budgetBytes, 0) !== 'free') this.state = 'tight';
  }

  tick(nowMs: number): void {
    if (nowMs - this.lookedMs < LOOK_MS) return;
    this.lookedMs = nowMs;
    const held = [...this.holders()].map((holder) => [holder, holder.heldBytes] as const);
    this.heldBytes = held.reduce((sum, [, bytes]) => sum + bytes, this.others());
    this.state = memoryState(this.heldBytes, this.budgetBytes, nowMs - (this.freeMs ?? nowMs));
    if (this.state === 'free') this.freeMs = nowMs;
    this.freeMs ??= nowMs;
    if (this.state === 'over') this.close(findWorst(held, this.budgetBytes));
    this.tell(nowMs);
  }

  private close(worst: readonly Holder[]): void {
    for (const holder of worst) holder.shed();
    this.shed += worst.length;
    this.unsaid += worst.length;
  }

  private tell(nowMs: number): void {
    const wasFree = this.wasFree;
    this.wasFree = this.state === 'free';
    const figures = { heldBytes: this.heldBytes, budgetBytes: this.budgetBytes };
    if (this.unsaid > 0 && nowMs - this.saidMs >= SAY_MS) {
      const closed = this.unsaid;
      this.unsaid = 0;
      this.saidMs = nowMs;
      return this.noticed?.({
        level: 'warn',
        message: 'Memory is used up: the largest connections were closed',
        figures: { ...figures, closed },
      });
    }
    if (wasFree && this.state === 'tight')
      this.noticed?.({ level: 'warn', message: 'Memory is tight: new connections are rejected', figures });
    else if (!wasFree && this.wasFree) this.noticed?.({ level: 'info', message: 'Memory is free again', figures });
  }
}
