import type { Notice } from '../contract/data-plane';
import type { ConnectionHandle } from '../contract/handover';
import type { Transport } from '../contract/transport';
import { BytePump, PumpPast } from './byte-pump';
import { FramedState, FramedTransport } from './framed-transport';
import { SocketPairs, closePair } from './socket-pairs';

/** A connection that will be pumped, if another process takes its other end. */
export interface TakenPump {
  /** What that process gets in the connection's place. */
  readonly handle: ConnectionHandle;
  readonly state: FramedState;
  /** Another process has it: its copy is closed here, and the pump begins. */
  release(): void;
  /** There will be no pump, and another process may have had its copy. */
  keep(): void;
  /** The same, and none has. */
  undo(): void;
}

/** Padded records, and a client that is always behind, never let the keys go. */
const KEYS_MS = 2_000;

const NO_PAIRS = 'In a restart connections whose TLS cannot go stay here: there are no sockets to pump them through';

/** What this process passes on for others. */
export class Pumps {
  private readonly live = new Set<BytePump>();
  private readonly unasked = new Set<BytePump>();
  private readonly pairs: SocketPairs;
  /** Of clients, until both sides of their pump are gone. */
  private readonly clientSides = new Set<Transport>();
  /** Since when it was tried to take these with their keys. */
  private readonly triedMs = new WeakMap<Transport, number>();

  /** @param isOn whether more may come @param noticed is told when none can be pumped */
  constructor(
    private readonly isOn: () => boolean,
    noticed?: (notice: Notice) => void,
  ) {
    this.pairs = new SocketPairs({
      failed: (why) => noticed?.({ level: 'warn', message: NO_PAIRS, figures: { why } }),
    });
  }

  /** How many of them are connections of clients; the others are connections to upstreams. */
  get clients(): number {
    let count = 0;
    // The other side of a pump may be open for longer.
    for (const { isDestroyed } of this.clientSides) if (!isDestroyed) count += 1;
    return count;
  }

  /** How many connections it passes on. */
  get size(): number {
    return this.live.size;
  }

  /** Some connections wait for the sockets of their pump. */
  get isMaking(): boolean {
    return this.pairs.isMaking;
  }

  /** Whether one that may go with its keys in a moment has been tried for long enough. */
  hasWaited(transport: Transport): boolean {
    const nowMs = performance.now();
    const sinceMs = this.triedMs.get(transport);
    if (sinceMs === undefined) this.triedMs.set(transport, nowMs);
    return sinceMs !== undefined && nowMs - sinceMs >= KEYS_MS;
  }

  /** Looks at all connections anew. */
  beginLook(): void {
    this.pairs.beginCount();
  }

  /**
   * @param isClient whether it is the connection of a client
   * @param transport paused, and of no use to anyone else until `keep`
   * @returns `later`: there is nothing to pump into yet; `none`: nor will there be
   */
  take(transport: Transport, isClient: boolean, past: PumpPast): TakenPump | 'later' | 'none' {
    if (!this.isOn()) return 'none';
    const pair = this.pairs.take();
    if (pair === undefined) return this.pairs.isFailing ? 'none' : 'later';
    const { near, far } = pair;
    const { peer, isTls } = transport;
    const known = { peer, isTls, header: '', left: 0 };
    return {
      handle: far,
      state: { ...known, ...past },
      release: () => {
        far.close(() => undefined);
        // Here the ends are the other way round.
        const framed = { ...known, hasReadEnd: past.isShutDown, isShutDown: past.hasReadEnd };
        const ended = () => {
          this.live.delete(pump);
          this.unasked.delete(pump);
          this.clientSides.delete(transport);
        };
        const pump = new BytePump(transport, new FramedTransport(near, framed), ended, { past });
        if (isClient) this.clientSides.add(transport);
        this.live.add(pump);
        this.unasked.add(pump);
      },
      keep: () => closePair(pair),
      undo: () => this.pairs.putBack(pair),
    };
  }

  /** Asks the processes that serve them for the orderly end of so many. @returns how many were not asked yet */
  askToLeave(count: number): number {
    let left = count;
    for (const pump of this.unasked) {
      if (left <= 0) break;
      left -= 1;
      this.unasked.delete(pump);
      pump.askToLeave();
    }
    return this.unasked.size;
  }

  /** None is to come until others are taken. */
  closePairs(): Promise<void> {
    return this.pairs.empty();
  }

  async close(): Promise<void> {
    for (const pump of [...this.live]) pump.destroy();
    await this.pairs.close();
  }
}
