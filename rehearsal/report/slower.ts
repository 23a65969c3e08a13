import { Direction, Role, findDirection } from '../../core/plan/direction';
import type { EntryTally } from '../traffic/counting/entries';

/** Fewer say little of what half of them take. */
const ENOUGH = 20;
const TIMES_AS_LONG = 2;
const MINIMUM_MS = 50;
/** On a machine that could not carry the traffic, whose own delays are in every time. */
const MINIMUM_ON_A_SLOW_MACHINE_MS = 200;
const MAX_NAMES = 3;

const number = (value: number) => value.toLocaleString('en-US', { maximumFractionDigits: value < 10 ? 1 : 0 });

/** An entry that is right on both sides and takes much longer on one: half of its responses at most so long. */
export interface SlowerEntry {
  readonly name: string;
  readonly ms: Readonly<Record<Role, number>>;
}

export interface SlowerOptions {
  /** @default - from the source to the target */
  readonly direction?: Direction;
  /** The least share (0–1) of the full rate that this machine carried. @default 1 */
  readonly minShare?: number | undefined;
}

/**
 * The entries whose median on the side that gets the traffic is at least twice that of the other one and clearly longer, the slowest first.
 * The judge compares all requests and the most frequent route classes; a single entry is often too rare for it within the minute of a
 * rehearsal.
 */
export function findSlower(
  entries: readonly EntryTally[],
  { direction: { from, to } = findDirection(undefined), minShare = 1 }: SlowerOptions = {},
): SlowerEntry[] {
  const minimumMs = minShare < 1 ? MINIMUM_ON_A_SLOW_MACHINE_MS : MINIMUM_MS;
  const slower = entries.flatMap(({ name, times }): SlowerEntry[] => {
    // Evidence of an earlier version has no times.
    if (!times || Math.min(times.source.count, times.target.count) < ENOUGH) return [];
    const ms = { from: times[from].halfMs, to: times[to].halfMs };
    return ms.to >= TIMES_AS_LONG * ms.from && ms.to - ms.from >= minimumMs ? [{ name, ms }] : [];
  });
  return slower.sort((one, other) => other.ms.to - other.ms.from - (one.ms.to - one.ms.from));
}

/** `'search' on the target (half took 305 ms, on the source 4.8 ms)`. */
export function listSlower(
  slower: readonly SlowerEntry[],
  { from, to }: Direction = findDirection(undefined),
): string[] {
  const shown = slower
    .slice(0, MAX_NAMES)
    .map(
      ({ name, ms }) => `'${name}' on the ${to} (half took ${number(ms.to)} ms, on the ${from} ${number(ms.from)} ms)`,
    );
  const more = slower.length - shown.length;
  return more > 0 ? [...shown, `${more} more ${more === 1 ? 'entry' : 'entries'}`] : shown;
}
