import type { CutoverRun } from '../../core/cutover/run';
import type { WrittenLooks } from '../../core/cutover/evidence';
import type { Ports } from '../contract/ports';
import { settleWithin } from '../contract/settle';

/** Thousands of small objects, a few dozen at the same time. */
const READ_MS = 15_000;

/** What the store has of the polls of a cutover. Evidence without them is better than none. */
export async function readLooks({ looks, execution }: CutoverRun, { store }: Ports): Promise<WrittenLooks> {
  if (!looks) return { value: [] };
  return settleWithin(READ_MS, 'reading the polls', () => store.looks(execution));
}
