import type { Moves } from '../../core/moves/moves';
import type { ConnectionSnapshot, WorkerPage, WorkerQuery } from '../../core/proxy/connection-list';
import type { Side } from '../../core/traffic/weights';
import type { Upstream } from '../data-plane/contract/data-plane';
import type { Ledger, LedgerEntry } from '../data-plane/contract/ledger';

export interface ListOptions {
  readonly ledger: Ledger;
  /** Whose backend an upstream is. */
  readonly findSide: (upstream: Upstream) => Side | undefined;
  /** Which connections are moved. */
  readonly moves: Moves;
}

/** The live connections of this process. @param nowMs of the clock that the ledger's entries came in by */
export function listConnections({ after, limit, kinds }: WorkerQuery, options: ListOptions, nowMs: number): WorkerPage {
  const found = options.ledger.list(after, kinds);
  return {
    connections: found.slice(0, limit).map((entry) => ({
      serial: entry.serial,
      ...describe(entry, options, nowMs),
    })),
    hasMore: found.length > limit,
  };
}

function describe(entry: LedgerEntry, { findSide, moves }: ListOptions, nowMs: number): Omit<ConnectionSnapshot, 'id'> {
  const { kind, phase, enteredMs, clientAddress, path, destination, movable } = entry;
  entry.measure();
  const upstream = destination && findSide(destination);
  const rejection = moves === 'none' ? 'off' : movable ? movable.rejection(moves) : 'kind';
  return {
    kind,
    state: phase,
    ageSeconds: Math.max(0, Math.round(nowMs - enteredMs)) / 1000,
    bytes: { received: entry.bytesReceived, sent: entry.bytesSent },
    client: clientAddress,
    path,
    ...(upstream && phase !== 'moving' && { upstream }),
    movable: rejection === undefined,
    ...(rejection && { rejection }),
  };
}
