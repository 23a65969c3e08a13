import { findPartNumber, partFile } from '../../core/capture/part-name';

/** Parts are written side by side: so far behind the last one that is there another may still come. At the next listing of all, any. */
const MAX_BEHIND = 900;

/** Which parts of a process were listed. */
export class ListedNode {
  /** All up to this number are known. */
  private through = 0;
  private last = 0;
  private readonly ahead = new Set<number>();
  private lastKey: string | undefined;

  /** @param folder the keys of its parts begin with it */
  constructor(private readonly folder: string) {}

  /** In the order of their keys. */
  add(key: string): void {
    this.lastKey = key;
    const number = findPartNumber(key);
    if (number === undefined) return;
    // What is far before the first one has been removed; the rest may still be on its way.
    if (this.last === 0) this.through = Math.max(0, number - 1 - MAX_BEHIND);
    if (number > this.through) this.ahead.add(number);
    while (this.ahead.delete(this.through + 1)) this.through += 1;
    this.last = Math.max(this.last, number);
  }

  /** The key after which parts must be listed. @param isComplete also such as were long on their way */
  after(isComplete: boolean): string | undefined {
    if (this.last === 0) return this.lastKey;
    const number = isComplete ? this.through : Math.max(this.through, this.last - MAX_BEHIND);
    return `${this.folder}${partFile(number)}`;
  }
}
