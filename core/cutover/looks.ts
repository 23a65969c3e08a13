import type { LookRecord } from '../judge/look-record';
import { lastSample } from '../judge/watch';
import { sameJson } from '../validation/shapes';
import type { CutoverRun, KeptLooks } from './run';

export const NO_LOOKS: KeptLooks = { records: [], written: 0, lost: 0, kept: 0 };
/** Where the store has what left the state. */
export const looksPrefix = (execution: string) => `looks/${execution}/`;
const NUMBER_DIGITS = 6;
/** @param number from 1 */
export const looksKey = (prefix: string, number: number) =>
  `${prefix}${String(number).padStart(NUMBER_DIGITS, '0')}.json`;

/** A state has 220,000 bytes, and most of them are for tasks. While the store is away the oldest polls go: the others say what they are of. */
const MAX_KEPT_BYTES = 24_000;
/** So many are worth an object. */
const MIN_WRITTEN = 8;

export function keepLook(run: CutoverRun, record: LookRecord): CutoverRun {
  const looks = run.looks ?? NO_LOOKS;
  const { kept, records } = looks;
  return {
    ...run,
    looks: fit({ ...looks, records: [...records, record], ...(kept !== undefined && { kept: kept + 1 }) }),
  };
}

function fit(looks: KeptLooks): KeptLooks {
  const sizes = looks.records.map((record) => JSON.stringify(record).length + 1);
  let bytes = sizes.reduce((sum, size) => sum + size, 0);
  const isDropped = (record: LookRecord, at: number) => {
    const isLast = at === sizes.length - 1;
    if (bytes <= MAX_KEPT_BYTES || record.kind !== 'poll' || isLast) return false;
    bytes -= sizes[at]!;
    return true;
  };
  return keepOnly(looks, (record, at) => !isDropped(record, at));
}

/** Without the polls that are not yet in the store: a state that is too large has no room for them. */
export function withoutLooks(run: CutoverRun): CutoverRun {
  const { looks } = run;
  return looks ? { ...run, looks: keepOnly(looks, ({ kind }) => kind !== 'poll') } : run;
}

function keepOnly(looks: KeptLooks, isKept: (record: LookRecord, at: number) => boolean): KeptLooks {
  const records = looks.records.filter(isKept);
  const dropped = looks.records.length - records.length;
  return dropped === 0 ? looks : { ...looks, records, lost: looks.lost + dropped };
}

/** Not on the way to a rollback, which waits for no store: what is left travels to the evidence by itself. */
export function mustWriteLooks({ looks, verdict, watch }: CutoverRun): boolean {
  if (!looks || looks.records.length === 0 || verdict === 'rollBack') return false;
  if (watch?.blindSinceMs.store !== undefined) return false;
  return verdict !== 'wait' || looks.records.length >= MIN_WRITTEN;
}

/**
 * Whether the next object of the store goes on from this state: a step that died has written more than the state that it left knows. One
 * that was repeated, and saw something else, goes its own way: what the store has beyond it is of the first try, and older than what
 * it saw.
 */
export function goesOn({ looks, watch }: CutoverRun, next: readonly LookRecord[]): boolean {
  const { records } = looks ?? NO_LOOKS;
  const [first] = next;
  const isOlder =
    records.length === 0 && first !== undefined && watch !== undefined && first.at < lastSample(watch).atMs;
  return !isOlder && sameJson(JSON.parse(JSON.stringify(records)), next.slice(0, records.length));
}

/** Once they are in the store. */
export function afterWriting(run: CutoverRun): CutoverRun {
  const looks = run.looks ?? NO_LOOKS;
  return { ...run, looks: { ...looks, records: [], written: looks.written + 1 } };
}
