import type { CompareReport } from '../../core/compare/compare-report';
import { Differences } from '../../core/compare/difference';
import { DifferenceTally } from '../../core/compare/difference-tally';
import { CompareOptions, readCompareOptions } from '../../core/compare/options';
import { seededRandom } from '../../rehearsal/load-balancer/random';

/** How often a field differs by itself. */
export type Noise = Readonly<Record<string, number>>;

export interface Run {
  readonly seed: number;
  readonly comparisons: number;
  /** Of requests that are repeated on the source. */
  readonly repeated: number;
  readonly noise: Noise;
  /** What the target alone has, beside the noise. */
  readonly planted?: Noise;
  readonly urls?: (random: () => number) => string;
  readonly options?: Partial<CompareOptions>;
  /** Of so many comparisons after each other the target's responses all differ in a field. */
  readonly episode?: { readonly field: string; readonly from: number; readonly until: number };
}

/** Of thirty fields nine are noisy: ids and times always, orderings and counters now and then, one hardly ever. */
export const NOISY: Noise = {
  'body.id': 1,
  'body.createdAt': 1,
  'header.etag': 1,
  'body.items[*].score': 0.7,
  'body.items': 0.4,
  'body.related': 0.3,
  'body.views': 0.1,
  'body.tags': 0.02,
  'body.cached': 0.004,
};

const chooseUrl = (random: () => number) => `/${['items', 'users', 'orders'][Math.floor(random() * 3)]}/17`;

/** A comparison of so many responses, of which it is known what differs by itself and what was planted. */
export function simulate(run: Run): CompareReport {
  const random = seededRandom(run.seed);
  const tally = new DifferenceTally(readCompareOptions(run.options ?? {}));
  const noise = Object.entries(run.noise);
  const planted = [...noise, ...Object.entries(run.planted ?? {})];
  const draw = (side: 'source' | 'target', index: number): Differences => {
    const differences = new Differences();
    for (const [field, rate] of side === 'source' ? noise : planted) {
      if (random() < rate) differences.add(field, 'changed', 1, 2);
    }
    const { episode } = run;
    const isIn = episode !== undefined && index >= episode.from && index < episode.until;
    if (isIn && side === 'target') differences.add(episode.field, 'changed', 1, 2);
    return differences;
  };
  for (let index = 0; index < run.comparisons; index += 1) {
    const route = { method: 'GET', url: (run.urls ?? chooseUrl)(random) };
    tally.add({ route, isRepeat: false, differences: draw('target', index) });
    if (random() < run.repeated) tally.add({ route, isRepeat: true, differences: draw('source', index) });
  }
  tally.finish();
  return tally.report();
}
