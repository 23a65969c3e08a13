import type { LookRecord } from '../judge/look-record';
import type { CutoverRun, KeptLooks } from './run';

export const NO_LOOKS: KeptLooks = { records: [], written: 0, lost: 0 };
/** A state has 220,000 bytes, and most of them are for tasks. While the store is away the oldest records go. */
const MAX_KEPT_BYTES = 24_000;
/** So many are worth an object. */
const MIN_WRITTEN = 8;

export function keepLook(run: CutoverRun, record: LookRecord): CutoverRun {
  const looks = run.looks ?? NO_LOOKS;
  return { ...run, looks: fit({ ...looks, records: [...looks.records, record] }) };
}

function fit(looks: KeptLooks): KeptLooks {
  const sizes = looks.records.map((record) => JSON.stringify(record).length + 1);
  let bytes = sizes.reduce((sum, size) => sum + size, 0);
  let dropped = 0;
  for (; bytes > MAX_KEPT_BYTES && dropped < sizes.length - 1; dropped += 1) bytes -= sizes[dropped]!;
  return dropped === 0 ? looks : { ...looks, records: looks.records.slice(dropped), lost: looks.lost + dropped };
}

/** Without what is not yet in the store: a state that is too large has no room for it. */
export function withoutLooks(run: CutoverRun): CutoverRun {
  const { looks } = run;
  if (!looks || looks.records.length === 0) return run;
  return { ...run, looks: { ...looks, records: [], lost: looks.lost + looks.records.length } };
}

/** Not on the way to a rollback, which waits for no store: what is left travels to the evidence by itself. */
export function mustWriteLooks({ looks, verdict, watch }: CutoverRun): boolean {
  if (!looks || looks.records.length === 0 || verdict === 'rollBack') return false;
  if (watch?.blindSinceMs.store !== undefined) return false;
  return verdict !== 'wait' || looks.records.length >= MIN_WRITTEN;
}

/** Once they are in the store. */
export function afterWriting(run: CutoverRun): CutoverRun {
  const looks = run.looks ?? NO_LOOKS;
  return { ...run, looks: { ...looks, records: [], written: looks.written + 1 } };
}
