import type { Workplace } from '../processes/workplace';
import type { Peer } from './peers';

/** What one suite says of one peer. */
export interface Figure {
  readonly suite: string;
  readonly peer: string;
  /** Undefined: it was not judged, and `missing` says why. */
  readonly passed?: number;
  readonly of?: number;
  readonly missing?: string;
  /** The cases that did not pass, in words. */
  readonly failures: readonly string[];
}

export interface Suite {
  readonly name: string;
  run(place: Workplace, peers: readonly Peer[], options: SuiteOptions): Promise<Figure[]>;
}

export interface SuiteOptions {
  readonly isQuick: boolean;
}

/** Ours, which may not become less; `all` of the cases. */
const FLOORS: Readonly<Record<string, number | 'all'>> = {
  h2spec: 137,
  'grpc-interop': 'all',
  'autobahn-client': 'all',
  'autobahn-server': 'all',
  guarantees: 'all',
};

/** Whether a figure is lower than it may be. What was not judged is not: it has no figure. */
export function isLower({ suite, passed, of }: Figure): boolean {
  const floor = FLOORS[suite];
  return passed !== undefined && floor !== undefined && passed < (floor === 'all' ? (of ?? 0) : floor);
}

/** The same for each peer, where the judge itself is not there. */
export function missingFor(suite: string, peers: readonly Peer[], missing: string): Figure[] {
  return peers.map(({ name }) => ({ suite, peer: name, missing, failures: [] }));
}

export function table(figures: readonly Figure[], { hasAllFailures }: { readonly hasAllFailures: boolean }): string {
  const peers = [...new Set(figures.map(({ peer }) => peer))];
  const suites = [...new Set(figures.map(({ suite }) => suite))];
  const rows = suites.map((suite) => [
    suite,
    ...peers.map((peer) => cell(figures.find((one) => one.suite === suite && one.peer === peer))),
  ]);
  const all = [['', ...peers], ...rows];
  const widths = all[0]!.map((_, column) => Math.max(...all.map((row) => row[column]!.length)));
  const lines = all.map((row) => row.map((text, column) => text.padEnd(widths[column]!)).join('  ').trimEnd()); // prettier-ignore
  const missing = figures.flatMap(({ suite, peer, missing: why }) =>
    why === undefined ? [] : [`Not judged: ${suite} of ${peer}: ${why}`],
  );
  const failures = figures
    .filter(({ peer }) => hasAllFailures || peer === 'drainshift')
    .flatMap(({ suite, peer, failures: cases }) => cases.map((text) => `Not passed: ${suite} of ${peer}: ${text}`));
  return [...lines, '', ...missing, ...failures].join('\n').trimEnd();
}

function cell(figure: Figure | undefined): string {
  if (figure?.passed === undefined) return 'not judged';
  return `${figure.passed} of ${figure.of}`;
}
