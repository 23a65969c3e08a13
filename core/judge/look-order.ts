import { PAST_SECONDS } from './comparison';
import type { LookRecord, PollRecord } from './look-record';
import { LONG_SECONDS } from './pool';
import { sameJson } from '../validation/shapes';

/** Records that are not in the order in which they were written, or twice. */
export class OutOfOrder extends RangeError {}

/**
 * Whether records follow each other as they were written: each poll is asked for what follows the last one, and each stage is shifted
 * once, polled, and ended by its bake.
 *
 * @returns what is missing between them, one line each
 * @throws OutOfOrder
 */
export function checkOrder(records: readonly LookRecord[]): string[] {
  const order = new Order();
  records.forEach((record, at) => order.add(record, at, records[at - 1]));
  return order.missing;
}

class Order {
  readonly missing: string[] = [];
  /** From 0; -1 before the first shift. */
  private stage = -1;
  private isBaked = false;
  /** Since the last shift, or the bake behind it. */
  private isPolled = false;
  /** The last second of the windows that were compared. */
  private until: number | undefined;
  private poll: PollRecord | undefined;

  add(record: LookRecord, at: number, before: LookRecord | undefined): void {
    const must = (holds: boolean, rule: string, got: string) => {
      if (!holds) throw new OutOfOrder(`'looks[${at}]' must be ${rule}, got ${got}`);
    };
    must(!sameJson(record, before), 'another record than the one before it', `the same '${record.kind}' twice`);
    if (record.kind === 'begin') {
      must(at === 0, "the first record, if it is 'begin'", 'it behind others');
      this.until = record.until;
    }
    if (record.kind === 'shift') {
      must(
        record.stage > this.stage,
        `the shift of a stage behind stage ${this.stage + 1}`,
        `stage ${record.stage + 1}`,
      );
      this.shift(record.stage);
    }
    if (record.kind === 'poll') this.follow(record, must);
    if (record.kind === 'bake') {
      const last = this.poll?.at ?? -Infinity;
      must(last <= record.at, `at the time of the poll before it (${last})`, `${record.at}`);
      must(!this.isBaked || this.isPolled, `the only bake of stage ${this.stage + 1}`, 'another one');
      // The one of the next stage, whose shift is away.
      if (this.isBaked) {
        this.stage += 1;
        this.miss(`the shift of stage ${this.stage + 1}`);
      }
      if (last < record.at)
        this.miss(`the poll at ${iso(record.at)}, which the bake of stage ${this.stage + 1} rests on`);
      this.isBaked = true;
      this.isPolled = false;
    }
  }

  private shift(stage: number): void {
    if (this.stage >= 0 && !this.isBaked) this.miss(`the bake that ended stage ${this.stage + 1}`);
    for (let each = this.stage + 1; each < stage; each += 1) this.miss(`the shift of stage ${each + 1}`);
    this.stage = stage;
    this.isBaked = false;
  }

  private follow(poll: PollRecord, must: (holds: boolean, rule: string, got: string) => void): void {
    const { after, until, windows, at } = poll;
    if (this.until !== undefined) {
      must(after >= this.until, `of the seconds after ${this.until}, where the poll before it ended`, `after ${after}`);
      // Polls that were so far apart see the last of the time between them.
      const isRest = until - after >= PAST_SECONDS - LONG_SECONDS;
      if (after > this.until && !isRest) this.miss(`the polls of ${after - this.until} s before ${iso(at)}`);
    }
    if (windows) this.until = until;
    this.poll = poll;
    this.isPolled = true;
  }

  private miss(what: string): void {
    this.missing.push(what);
  }
}

function iso(atMs: number): string {
  return new Date(atMs).toISOString();
}
