/** What one proxy says of its capture. Counts are since its start. */
export interface CaptureReport {
  /** Requests whose record is durable. */
  readonly recorded: number;
  /** Requests that change something, and got 503 because their record was not durable in time. They were not forwarded. */
  readonly refused: number;
  /** Requests that change something, and were forwarded without a whole durable record. */
  readonly unrecorded: number;
  /** Other requests, and responses, whose record was lost: memory was full, or the process ended. */
  readonly lost: number;
  /** Bytes that are not durable yet. */
  readonly pendingBytes: number;
  /** Since when the oldest of them waits; 0 where there is none. */
  readonly pendingMs: number;
  /** Whether the last attempt to write failed. */
  readonly isFailing: boolean;
  /** Of WebSockets: those that are durable, and those that are not recorded. Absent where messages are not recorded. */
  readonly webSockets?: { readonly recorded: number; readonly lost: number };
  /** As `capture` names it; absent in the sum of proxies that say none. */
  readonly store?: string;
  /** The settings by which some writes are not recorded; absent where there are none. Those of `capture_never` are nothing to replay. */
  readonly leavesOut?: readonly string[];
}

export const NO_CAPTURE: CaptureReport = {
  recorded: 0,
  refused: 0,
  unrecorded: 0,
  lost: 0,
  pendingBytes: 0,
  pendingMs: 0,
  isFailing: false,
};

/** That of several processes. */
export function addCaptures(a: CaptureReport, b: CaptureReport): CaptureReport {
  return {
    recorded: a.recorded + b.recorded,
    refused: a.refused + b.refused,
    unrecorded: a.unrecorded + b.unrecorded,
    lost: a.lost + b.lost,
    pendingBytes: a.pendingBytes + b.pendingBytes,
    pendingMs: Math.max(a.pendingMs, b.pendingMs),
    isFailing: a.isFailing || b.isFailing,
    ...addMessages(a.webSockets, b.webSockets),
    ...((a.store ?? b.store) !== undefined && { store: a.store ?? b.store }),
    ...((a.leavesOut ?? b.leavesOut) && {
      leavesOut: [...new Set([...(a.leavesOut ?? []), ...(b.leavesOut ?? [])])],
    }),
  };
}

function addMessages(
  a: CaptureReport['webSockets'],
  b: CaptureReport['webSockets'],
): Pick<CaptureReport, 'webSockets'> {
  if (a === undefined || b === undefined) return a === undefined && b === undefined ? {} : { webSockets: (a ?? b)! };
  return { webSockets: { recorded: a.recorded + b.recorded, lost: a.lost + b.lost } };
}
