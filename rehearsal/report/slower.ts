import type { EntryTally } from '../traffic/counting/entries';

/** Fewer say little of what half of them take. */
const ENOUGH = 20;
const TIMES_AS_LONG = 2;
const MINIMUM_MS = 50;
/** On a machine that could not carry the traffic, whose own delays are in every time. */
const MINIMUM_ON_A_SLOW_MACHINE_MS = 200;
const MAX_NAMES = 3;

const number = (value: number) => value.toLocaleString('en-US', { maximumFractionDigits: value < 10 ? 1 : 0 });

/** An entry that is right on both sides and takes much longer on the target: half of its responses at most so long. */
export interface SlowerEntry {
  readonly name: string;
  readonly sourceMs: number;
  readonly targetMs: number;
}

/**
 * The entries whose median on the target is at least twice the source's and clearly longer, the slowest first. The judge compares all
 * requests and the most frequent route classes; a single entry is often too rare for it within the minute of a rehearsal.
 *
 * @param minShare the least share (0–1) of the full rate that this machine carried
 */
export function findSlower(entries: readonly EntryTally[], minShare = 1): SlowerEntry[] {
  const minimumMs = minShare < 1 ? MINIMUM_ON_A_SLOW_MACHINE_MS : MINIMUM_MS;
  const slower = entries.flatMap(({ name, times }): SlowerEntry[] => {
    // Evidence of an earlier version has no times.
    if (!times || Math.min(times.source.count, times.target.count) < ENOUGH) return [];
    const [sourceMs, targetMs] = [times.source.halfMs, times.target.halfMs];
    const isSlower = targetMs >= TIMES_AS_LONG * sourceMs && targetMs - sourceMs >= minimumMs;
    return isSlower ? [{ name, sourceMs, targetMs }] : [];
  });
  return slower.sort((one, other) => other.targetMs - other.sourceMs - (one.targetMs - one.sourceMs));
}

/** `'search' on the target (half took 305 ms, on the source 4.8 ms)`. */
export function listSlower(slower: readonly SlowerEntry[]): string[] {
  const shown = slower
    .slice(0, MAX_NAMES)
    .map(
      ({ name, sourceMs, targetMs }) =>
        `'${name}' on the target (half took ${number(targetMs)} ms, on the source ${number(sourceMs)} ms)`,
    );
  const more = slower.length - shown.length;
  return more > 0 ? [...shown, `${more} more ${more === 1 ? 'entry' : 'entries'}`] : shown;
}
