import { median, type PeerFigures, type Settled } from './figures';

/** What one aim came to, in words. */
export interface AimResult {
  readonly isMet: boolean;
  readonly text: string;
}

export const AIMS = {
  /** Medians of the restarts, in milliseconds. */
  replacedMs: 3_000,
  stallP99Ms: 100,
  /** So many restarts are needed to see whether memory grows: the last third to the first. */
  restartsOfMemory: 10,
  memory: 1.1,
} as const;

/** Of ours alone: a peer has its figures. */
export function checkAims(figures: readonly PeerFigures[]): AimResult[] {
  return figures.filter(({ isOurs }) => isOurs).flatMap(checkPeer);
}

function checkPeer(figures: PeerFigures): AimResult[] {
  const { peer, sockets, requests, restarts } = figures;
  const { closed, waiting, lost, doubled, outOfOrder, foreign } = sockets;
  const replaced = restarts.map(({ replacedMs = Number.POSITIVE_INFINITY }) => replacedMs);
  const stalls = restarts.map(({ stall }) => stall.p99);
  return [
    ...Object.entries({ closed, lost: lost + waiting, doubled, 'out of order': outOfOrder, foreign }).map(
      ([name, count]) => check(count === 0, `${peer}: 0 ${name}, got ${count}`),
    ),
    check(requests.errors === 0, `${peer}: 0 failed requests, got ${requests.errors}${formatProblems(requests)}`),
    check(
      median(replaced) <= AIMS.replacedMs,
      `${peer}: replaced in at most ${AIMS.replacedMs / 1000} s, got a median of ${formatList(replaced, (ms) => `${(ms / 1000).toFixed(2)} s`)}`,
    ),
    check(
      median(stalls) <= AIMS.stallP99Ms,
      `${peer}: p99 of a message at most ${AIMS.stallP99Ms} ms, got a median of ${formatList(stalls, (ms) => `${ms.toFixed(0)} ms`)}`,
    ),
    ...checkLeftovers(figures),
    ...checkMemory(figures),
  ];
}

function check(isMet: boolean, text: string): AimResult {
  return { isMet, text };
}

function formatProblems({ problems }: PeerFigures['requests']): string {
  return problems.length === 0 ? '' : ` (${problems[0]})`;
}

function formatList(values: readonly number[], format: (value: number) => string): string {
  return `${format(median(values))} (${format(Math.min(...values))} to ${format(Math.max(...values))})`;
}

function checkLeftovers({ peer, before, restarts }: PeerFigures): AimResult[] {
  const last = restarts.at(-1)?.after;
  const first = restarts[0]?.after;
  if (last === undefined || first === undefined) return [];
  return [
    checkEqual(peer, 'live generations', 1, last.generations ?? 1),
    // The process that was started first stays beside the second generation.
    checkAtMost(peer, 'processes', Math.max(before.processes + 1, first.processes), last.processes),
    checkAtMost(peer, 'temporary files', Math.max(before.temporary, first.temporary), last.temporary),
    ...checkFiles(peer, first, last),
  ];
}

/** A kept connection to the backend, or a timer, comes and goes. */
const SPARE_FILES = 64;

function checkFiles(peer: string, first: Settled, last: Settled): AimResult[] {
  return [checkAtMost(peer, 'open files', first.files + SPARE_FILES, last.files)];
}

function checkEqual(peer: string, what: string, wanted: number, got: number): AimResult {
  return check(got === wanted, `${peer}: ${wanted} ${what} afterwards, got ${got}`);
}

function checkAtMost(peer: string, what: string, most: number, got: number): AimResult {
  return check(got <= most, `${peer}: at most ${most} ${what} afterwards, got ${got}`);
}

function checkMemory({ peer, restarts }: PeerFigures): AimResult[] {
  if (restarts.length < AIMS.restartsOfMemory) return [];
  const third = Math.floor(restarts.length / 3);
  const sizes = restarts.map(({ after }) => after.residentBytes);
  const [first, last] = [median(sizes.slice(0, third)), median(sizes.slice(-third))];
  const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(0)} MiB`;
  return [
    check(
      last <= first * AIMS.memory,
      `${peer}: memory of the last ${third} of ${restarts.length} restarts at most ${AIMS.memory} of the first ${third}, got ${mib(last)} after ${mib(first)}`,
    ),
  ];
}
