/** What is wrong with numbered messages, over any number of sequences. */
export interface SequenceFaults {
  /** Numbers that were passed over and have not come since. */
  lost: number;
  doubled: number;
  /** Numbers that came behind higher ones. */
  outOfOrder: number;
}

export const noFaults = (): SequenceFaults => ({ lost: 0, doubled: 0, outOfOrder: 0 });

/** A sequence in a form that goes to another process. */
export interface PackedSequence {
  readonly last: number;
  readonly missing: readonly number[];
}

/** Follows the numbers of one sender, which counts from 1. */
export class Sequence {
  private missing: Set<number> | undefined;
  /** The highest number so far. */
  last = 0;

  /** @param faults where those of this sequence are counted, too */
  constructor(private readonly faults: SequenceFaults) {}

  static unpack({ last, missing }: PackedSequence, faults: SequenceFaults): Sequence {
    const sequence = new Sequence(faults);
    sequence.last = last;
    if (missing.length > 0) sequence.missing = new Set(missing);
    return sequence;
  }

  pack(): PackedSequence {
    return { last: this.last, missing: [...(this.missing ?? [])] };
  }

  take(number: number): void {
    const { faults } = this;
    if (number === this.last + 1) this.last = number;
    else if (number > this.last) this.passOver(number);
    else if (this.missing?.delete(number) === true) {
      faults.lost -= 1;
      faults.outOfOrder += 1;
    } else faults.doubled += 1;
  }

  private passOver(number: number): void {
    this.missing ??= new Set();
    for (let each = this.last + 1; each < number; each += 1) this.missing.add(each);
    this.faults.lost += number - this.last - 1;
    this.last = number;
  }
}
