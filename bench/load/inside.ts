/** The inside of a script that `startScript` started. */

/** What the script was asked for. */
export function asked<Options>(): Options {
  return JSON.parse(process.argv[2] ?? '{}') as Options;
}

export function say(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

/** Our standard input ends when the parent asks us to end, or has died. */
export function whenParentEnds(then: () => void = () => process.exit(0)): void {
  process.stdin.resume();
  process.stdin.once('end', then);
}

/** Where the measured time begins and ends: the parent reads the proxy's CPU time at both. */
export interface Mark {
  readonly at: 'begin' | 'end';
  readonly result?: LoadResult;
}

export interface LoadResult {
  readonly requests: number;
  readonly seconds: number;
  /** Responses that were wrong, and connections that failed. */
  readonly errors: number;
  readonly p50Ms?: number;
  readonly p99Ms?: number;
}

/** The value below which this share of the sorted values lies. */
export function quantile(sorted: ArrayLike<number>, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
