// `npm run bench:compare`: how often clean comparisons are rolled back, how many responses it takes to find a change in 0.5 % of them,
// and how many pairs a second are compared. What differs is drawn, with a seed; the rest is the code of `core/compare`.
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { decodeBody } from '../compare/decode';
import { ResponseComparison } from '../core/compare/response-comparison';
import { EXIT_CODES } from '../core/errors/exit-codes';
import { UsageError } from '../rehearsal/errors/usage-error';
import { runMain } from './cli/main';
import { NOISY, simulate } from './compare/simulate';

const USAGE = `Usage: npm run bench:compare -- [options]

  --clean N    clean comparisons, with nine noisy fields of thirty (default 200)
  --planted N  comparisons of each row in which 0.5 % of the responses have another value in one field (default 20)
  --seed N     of all that is drawn (default 1)
  --json FILE  writes the figures

Exit codes: 0 every aim is met, 1 one is missed.
`;

const PLANTED = { 'body.price': 0.005 };
const CLEAN = { comparisons: 10_000, repeated: 0.25 };
const REPEATED = [1, 0.5, 0.25, 0.1] as const;
const SIZES = [5_000, 10_000, 20_000, 40_000, 80_000] as const;
/** Bytes of JSON. */
const BODIES = [500, 5_000, 50_000] as const;
const MEASURED_MS = 2_000;
const MAX_FALSE = 1;

interface Found {
  readonly repeated: number;
  readonly comparisons: number;
  readonly found: number;
  readonly runs: number;
}

async function main(): Promise<number> {
  const text = { type: 'string' } as const;
  const options = {
    clean: text,
    planted: text,
    seed: text,
    json: text,
    help: { type: 'boolean', default: false },
  } as const;
  const { values } = parseArgs({ options });
  if (values.help) {
    process.stdout.write(USAGE);
    return EXIT_CODES.done.code;
  }
  const seed = count('--seed', values.seed, 1);
  const clean = measureClean(count('--clean', values.clean, 200), seed);
  const planted = measurePlanted(count('--planted', values.planted, 20), seed);
  const speed = BODIES.map(measureSpeed);
  if (values.json !== undefined)
    writeFileSync(values.json, `${JSON.stringify({ clean, planted, speed }, undefined, 2)}\n`);
  const isMet = clean.rolledBack <= MAX_FALSE;
  process.stdout.write(
    `${isMet ? 'met' : 'MISSED'}: at most ${MAX_FALSE} of ${clean.runs} clean comparisons is rolled back\n`,
  );
  return isMet ? EXIT_CODES.done.code : EXIT_CODES.failed.code;
}

function count(name: string, text: string | undefined, fallback: number): number {
  const number = text === undefined ? fallback : Number(text);
  if (Number.isInteger(number) && number > 0) return number;
  throw new UsageError(`'${name}' must be an integer of 1 or more, got '${text}'`);
}

function measureClean(runs: number, seed: number) {
  const verdicts = { promote: 0, 'roll back': 0, inconclusive: 0 };
  for (let run = 0; run < runs; run += 1)
    verdicts[simulate({ seed: seed * 10_000 + run, ...CLEAN, noise: NOISY }).verdict] += 1;
  const { promote, 'roll back': rolledBack, inconclusive } = verdicts;
  process.stdout.write(
    `clean, ${CLEAN.comparisons} comparisons, ${CLEAN.repeated * 100} % repeated: ${rolledBack} rolled back, ` +
      `${promote} promoted, ${inconclusive} inconclusive of ${runs}\n`,
  );
  return { ...CLEAN, runs, promote, rolledBack, inconclusive };
}

/** Of each size until all are found: more finds them, too. */
function measurePlanted(runs: number, seed: number): Found[] {
  return REPEATED.flatMap((repeated) => {
    const rows: Found[] = [];
    for (const comparisons of SIZES) {
      const found = countFound({ comparisons, repeated }, runs, seed);
      rows.push({ repeated, comparisons, found, runs });
      process.stdout.write(
        `0.5 % planted, ${comparisons} comparisons, ${repeated * 100} % repeated: found in ${found} of ${runs}\n`,
      );
      if (found === runs) break;
    }
    return rows;
  });
}

function countFound(
  size: { readonly comparisons: number; readonly repeated: number },
  runs: number,
  seed: number,
): number {
  let found = 0;
  for (let run = 0; run < runs; run += 1) {
    const report = simulate({ seed: seed * 10_000 + 5_000 + run, ...size, noise: NOISY, planted: PLANTED });
    const isRight = report.because.every((line) => line.includes('body.price'));
    found += report.verdict === 'roll back' && isRight ? 1 : 0;
  }
  return found;
}

/** Of pairs whose bodies are equal but for an id and a time, which is the dearest case that is usual. */
function measureSpeed(bytes: number) {
  const items = Array.from({ length: Math.ceil(bytes / 60) }, (_, id) => ({
    id,
    name: `item number ${id}`,
    price: id * 1.25,
  }));
  const bodies = [1, 2].map((at) => new TextEncoder().encode(JSON.stringify({ requestId: `r-${at}`, at, items })));
  const responses = bodies.map((body) => ({
    status: 200,
    fields: [['Content-Type', 'application/json']] as const,
    body,
  }));
  const comparison = new ResponseComparison({}, decodeBody);
  const start = performance.now();
  let pairs = 0;
  while (performance.now() - start < MEASURED_MS) {
    const route = { method: 'GET', url: `/items/${pairs % 5_000}` };
    comparison.add({ route, source: responses[0], target: responses[1], isRepeat: pairs % 10 === 0 });
    pairs += 1;
  }
  const perSecond = Math.round(pairs / ((performance.now() - start) / 1_000));
  process.stdout.write(`${bodies[0]?.length} bytes of JSON: ${perSecond.toLocaleString('en-US')} pairs a second\n`);
  return { bytes: bodies[0]?.length ?? 0, perSecond };
}

void runMain(main);
