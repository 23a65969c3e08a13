import type { CompareReport } from './compare-report';
import type { BodyReading } from './body-differences';
import { compareResponses } from './compare-responses';
import { DifferenceTally } from './difference-tally';
import { CompareOptions, readCompareOptions } from './options';
import type { Decode, ResponsePair } from './response';

/**
 * Compares responses of the source with those of the target, pair by pair, and tells noise from difference. Millions of pairs need no
 * more memory than thousands.
 *
 * @example
 * const comparison = new ResponseComparison({ tolerance: 0.001 }, decodeBody);
 * comparison.add({ route: { method: 'GET', url: '/items/17' }, source: recorded, target: response, isRepeat: false });
 * comparison.finish();
 * comparison.report().verdict; // 'promote' | 'roll back' | 'inconclusive'
 */
export class ResponseComparison {
  private readonly tally: DifferenceTally;
  private readonly reading: BodyReading;

  /** @throws Error that names each option that breaks its rule */
  constructor(options: Partial<CompareOptions>, decode: Decode) {
    const read = readCompareOptions(options);
    this.tally = new DifferenceTally(read);
    this.reading = { decode, maxBodyBytes: read.maxBodyBytes };
  }

  /**
   * Whether a request is repeated on the source must not depend on its responses. It is best repeated when the target is sent it, so that
   * both see the same changes of the data since the recording.
   */
  add(pair: ResponsePair): void {
    this.tally.add({ ...pair, differences: compareResponses(pair, this.reading) });
  }

  /** When no more pairs come: what is left of windows counts, too. Before it a report has whole windows only. */
  finish(): void {
    this.tally.finish();
  }

  report(): CompareReport {
    return this.tally.report();
  }
}
