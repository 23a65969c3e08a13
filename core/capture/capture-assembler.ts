import { AssemblyCounts, AssemblyLimits, CaptureEvent, ConnectionAssembly, noCounts } from './connection-assembly';
import type { TrafficStream } from './traffic-stream';

export interface AssemblerLimits extends AssemblyLimits {
  /** How long a part is waited for whose successors are there, in recorded time. */
  readonly gapMs: number;
  /** After so long without a part, in recorded time, what is missing of a connection will not come. */
  readonly idleMs: number;
  /** After so long one is not kept of which nothing is missing. */
  readonly quietMs: number;
  readonly maxConnections: number;
  /** Of all connections together; the one that was silent for longest ends first. */
  readonly maxHeldBytes: number;
}

export const DEFAULT_ASSEMBLER_LIMITS: AssemblerLimits = {
  maxRequestBytes: 67_108_864,
  maxResponseBytes: 16_777_216,
  gapMs: 5_000,
  idleMs: 600_000,
  quietMs: 60_000,
  maxConnections: 100_000,
  maxHeldBytes: 268_435_456,
};

/** Of so many connections that are not kept it is known which of their parts were there. */
const MAX_REMEMBERED = 200_000;

interface Connection {
  readonly assembly: ConnectionAssembly;
  next: number;
  /** Parts whose predecessors are not there. */
  readonly ahead: Map<number, TrafficStream>;
  aheadBytes: number;
  /** In recorded time. */
  touchedMs: number;
  /** Since when it waits for a part. */
  gapSinceMs: number;
  heldBytes: number;
}

/**
 * Makes exchanges of the parts of connections. Parts of one connection may come late, out of order and twice; each becomes part of it
 * once, in order. What never comes is counted, and what was whole beside it still counts.
 */
export class CaptureAssembler {
  readonly counts: AssemblyCounts = noCounts();
  /** The one that was touched longest ago comes first. */
  private readonly connections = new Map<string, Connection>();
  /** The number of the part that would come next; of one that has ended none. */
  private readonly remembered = new Map<string, number>();
  /** Those that wait for a part. */
  private readonly gaps = new Set<string>();
  private total = 0;

  constructor(
    private readonly emit: (event: CaptureEvent) => void,
    private readonly limits: AssemblerLimits = DEFAULT_ASSEMBLER_LIMITS,
  ) {}

  /** Bytes that it holds. */
  get heldBytes(): number {
    return this.total;
  }

  /** @param nowMs how far the recorded time is */
  add(stream: TrafficStream, nowMs: number): void {
    const id = stream.connectionId;
    const connection = this.remembered.get(id) === Infinity ? undefined : this.touch(id, nowMs);
    if (!connection || stream.index < connection.next || connection.ahead.has(stream.index)) {
      this.counts.duplicates += 1;
      return;
    }
    if (stream.index === connection.next) this.take(id, connection, stream);
    else {
      connection.ahead.set(stream.index, stream);
      connection.aheadBytes += countBytes(stream);
      if (!this.gaps.has(id)) connection.gapSinceMs = nowMs;
      this.gaps.add(id);
    }
    this.account(connection);
    this.bound();
  }

  private touch(id: string, nowMs: number): Connection {
    const known = this.connections.get(id);
    const connection = known ?? {
      assembly: new ConnectionAssembly(id, this.limits, this.counts, this.emit),
      next: this.remembered.get(id) ?? 0,
      ahead: new Map<number, TrafficStream>(),
      aheadBytes: 0,
      touchedMs: nowMs,
      gapSinceMs: nowMs,
      heldBytes: 0,
    };
    connection.touchedMs = nowMs;
    this.connections.delete(id);
    this.connections.set(id, connection);
    return connection;
  }

  /** The next part, and those after it that are there. */
  private take(id: string, connection: Connection, stream: TrafficStream): void {
    for (let part: TrafficStream | undefined = stream; part; part = connection.ahead.get(connection.next)) {
      if (connection.ahead.delete(part.index)) connection.aheadBytes -= countBytes(part);
      connection.assembly.add(part);
      connection.next = part.index + 1;
      if (part.isLast) return this.close(id, connection);
    }
    if (connection.ahead.size === 0) this.gaps.delete(id);
  }

  private close(id: string, connection: Connection): void {
    connection.assembly.end();
    this.forget(id, connection, Infinity);
  }

  private forget(id: string, connection: Connection, next: number): void {
    this.remembered.delete(id);
    this.remembered.set(id, next);
    if (this.remembered.size > MAX_REMEMBERED) this.remembered.delete(this.remembered.keys().next().value!);
    this.total -= connection.heldBytes;
    connection.heldBytes = 0;
    this.connections.delete(id);
    this.gaps.delete(id);
  }

  private account(connection: Connection): void {
    if (!this.connections.has(connection.assembly.connectionId)) return;
    const bytes = connection.assembly.heldBytes + connection.aheadBytes;
    this.total += bytes - connection.heldBytes;
    connection.heldBytes = bytes;
  }

  private bound(): void {
    for (const [id, connection] of this.connections) {
      if (this.connections.size <= this.limits.maxConnections && this.total <= this.limits.maxHeldBytes) return;
      this.expire(id, connection);
    }
  }

  private expire(id: string, connection: Connection): void {
    while (connection.ahead.size > 0) this.jump(id, connection);
    if (connection.assembly.isBusy) this.counts.expired += 1;
    connection.assembly.end();
    this.forget(id, connection, connection.next);
  }

  /** Goes on behind a gap. */
  private jump(id: string, connection: Connection): void {
    const at = Math.min(...connection.ahead.keys());
    const part = connection.ahead.get(at)!;
    // Of a connection that was recorded from its middle on, what came before is not missing.
    const isMiddle = connection.next === 0;
    if (!isMiddle) this.counts.missing += at - connection.next;
    connection.assembly.skip(part.wasReading);
    connection.next = at;
    this.take(id, connection, part);
  }

  /** Gives up on parts and connections that did not come in time. @param nowMs how far the recorded time is */
  advance(nowMs: number): void {
    for (const id of this.gaps) {
      const connection = this.connections.get(id)!;
      if (connection.gapSinceMs + this.limits.gapMs > nowMs) continue;
      this.jump(id, connection);
      this.account(connection);
    }
    for (const [id, connection] of this.connections) {
      const silentMs = nowMs - connection.touchedMs;
      if (silentMs < this.limits.quietMs) return;
      const isBusy = connection.assembly.isBusy || connection.ahead.size > 0;
      if (!isBusy || silentMs >= this.limits.idleMs) this.expire(id, connection);
    }
  }

  /** What is missing by now will not come. */
  closeGaps(): void {
    while (this.gaps.size > 0) {
      for (const id of this.gaps) {
        const connection = this.connections.get(id)!;
        this.jump(id, connection);
        this.account(connection);
      }
    }
  }

  /** Nothing more will come. */
  end(): void {
    for (const [id, connection] of this.connections) {
      while (connection.ahead.size > 0) this.jump(id, connection);
      if (this.connections.delete(id)) connection.assembly.end();
    }
    this.gaps.clear();
    this.total = 0;
  }
}

function countBytes({ observations }: TrafficStream): number {
  return observations.reduce((sum, each) => sum + ('data' in each ? each.data.length : 0) + 64, 64);
}
