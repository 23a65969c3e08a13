/** Marks a copy, with an id of its own. A request that has it is not copied again. */
export const MIRROR_HEADER = 'X-Drainshift-Mirror';

/**
 * Why a request that was chosen was not copied, or its copy not compared.
 *
 * - `busy`: as many as may be were under way.
 * - `memory`: there was no room for its bytes.
 * - `tooLong`: its body is longer than what is copied.
 * - `down`: the target gave no response to those before it.
 * - `noResponse`: the source gave no whole response in time: its client left, the proxy responded itself, or it is a stream.
 * - `faulted`: an error of the mirror's own.
 */
export const MIRROR_DROPS = ['busy', 'memory', 'tooLong', 'down', 'noResponse', 'faulted'] as const;
export type MirrorDrop = (typeof MIRROR_DROPS)[number];

/**
 * How a copy got no response.
 *
 * - `unreached`: there was no connection for it.
 * - `broken`: its connection or its response broke off.
 * - `late`: the time ended before its response did.
 */
export const MIRROR_FAILURES = ['unreached', 'broken', 'late'] as const;
export type MirrorFailure = (typeof MIRROR_FAILURES)[number];

/** What one proxy says of its mirror. Counts are since its start. */
export interface MirrorCounts {
  /** Copies that were sent to the target. */
  readonly sent: number;
  /** Copies whose end was compared with the source's response. */
  readonly compared: number;
  /** Requests that were sent to the source once more, and compared with its first response. */
  readonly repeated: number;
  /** Copies under way now. */
  readonly underWay: number;
  readonly failed: Readonly<Record<MirrorFailure, number>>;
  readonly dropped: Readonly<Record<MirrorDrop, number>>;
}

export const NO_MIRROR: MirrorCounts = {
  sent: 0,
  compared: 0,
  repeated: 0,
  underWay: 0,
  failed: { unreached: 0, broken: 0, late: 0 },
  dropped: { busy: 0, memory: 0, tooLong: 0, down: 0, noResponse: 0, faulted: 0 },
};

/** Those of several processes. */
export function addMirrors(a: MirrorCounts, b: MirrorCounts): MirrorCounts {
  return {
    sent: a.sent + b.sent,
    compared: a.compared + b.compared,
    repeated: a.repeated + b.repeated,
    underWay: a.underWay + b.underWay,
    failed: addEach(MIRROR_FAILURES, a.failed, b.failed),
    dropped: addEach(MIRROR_DROPS, a.dropped, b.dropped),
  };
}

function addEach<Name extends string>(
  names: readonly Name[],
  a: Readonly<Record<Name, number>>,
  b: Readonly<Record<Name, number>>,
): Record<Name, number> {
  return Object.fromEntries(names.map((name) => [name, a[name] + b[name]])) as Record<Name, number>;
}
