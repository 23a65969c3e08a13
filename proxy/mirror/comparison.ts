import { ComparedPair, DifferenceTally } from '../../core/compare/difference-tally';
import { readCompareOptions } from '../../core/compare/options';
import type { MirrorReport } from '../../core/compare/mirror-report';
import { MirrorCounts, NO_MIRROR } from '../../core/mirror/mirror-counts';
import { formatHostPort } from '../../core/validation/host-port';
import type { MirrorConfig } from './mirror';

/** What was compared of all processes of a proxy. */
export class MirrorComparison {
  private readonly tally: DifferenceTally;

  constructor(private readonly config: MirrorConfig) {
    this.tally = new DifferenceTally(readCompareOptions({ ignore: config.ignore }));
  }

  add(pair: ComparedPair): void {
    this.tally.add(pair);
  }

  report(counts: MirrorCounts = NO_MIRROR): MirrorReport {
    const { target } = this.config;
    return { url: `${target.protocol}://${formatHostPort(target)}`, ...counts, comparison: this.tally.report() };
  }
}
