/** What a comparison is asked. */
export interface CompareOptions {
  /**
   * The part of all responses that may differ in fields in which the source never differs from itself; 0.001 is 0.1 %.
   * @default 0.001
   */
  readonly tolerance: number;
  /**
   * How large a change, as a part of all responses, may stay unseen in fields that are noisy.
   * @default 0.05
   */
  readonly noiseTolerance: number;
  /** Fields that are not judged, with `*`: `header.etag`, `body.meta.*`; of one route: `GET /items/{id} body.price`. */
  readonly ignore: readonly string[];
  /** Paths with `*` that are one route each: `/shop/*`. The first that fits counts. */
  readonly routes: readonly string[];
  /**
   * So much of a body is compared, without its content coding. It bounds the time that one pair takes.
   * @default 4194304
   */
  readonly maxBodyBytes: number;
}

export const COMPARE_DEFAULTS: CompareOptions = {
  tolerance: 0.001,
  noiseTolerance: 0.05,
  ignore: [],
  routes: [],
  maxBodyBytes: 4 * 1024 * 1024,
};

const MAX_PATTERNS = 1_000;

/** @throws Error that names each option that breaks its rule */
export function readCompareOptions(options: Partial<CompareOptions>): CompareOptions {
  const read = { ...COMPARE_DEFAULTS, ...options };
  const problems = [
    checkPart('tolerance', read.tolerance),
    checkPart('noiseTolerance', read.noiseTolerance),
    checkPatterns('ignore', read.ignore),
    checkPatterns('routes', read.routes),
    checkBytes('maxBodyBytes', read.maxBodyBytes),
  ].filter((problem) => problem !== undefined);
  if (problems.length > 0) throw new Error(problems.join('\n'));
  return read;
}

function checkPart(name: string, value: number): string | undefined {
  const isPart = typeof value === 'number' && value > 0 && value < 1;
  return isPart ? undefined : `'${name}' must be a number between 0 and 1 (0.001 is 0.1 %), got ${value}`;
}

const [MIN_BYTES, MAX_BYTES] = [1_024, 64 * 1024 * 1024];

function checkBytes(name: string, value: number): string | undefined {
  const isIn = Number.isInteger(value) && value >= MIN_BYTES && value <= MAX_BYTES;
  return isIn ? undefined : `'${name}' must be an integer from ${MIN_BYTES} to ${MAX_BYTES}, got ${value}`;
}

function checkPatterns(name: string, value: readonly string[]): string | undefined {
  const isList = value.length <= MAX_PATTERNS && value.every((each) => each !== '' && each.length <= 1_000);
  return isList
    ? undefined
    : `'${name}' must be a list of at most ${MAX_PATTERNS} patterns, none of them empty, got ${value.length}`;
}
