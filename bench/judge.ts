// `npm run bench:judge`: how often a rule ends a healthy cutover, and how soon it finds a target that is worse. The traffic is
// drawn, with a seed; the rule of the cutover is the code of `core/judge`, and its peers' are written down after their documents.
import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { EXIT_CODES } from '../core/errors/exit-codes';
import { UsageError } from '../rehearsal/errors/usage-error';
import { runMain } from './cli/main';
import { checkAims } from './judge/aims';
import { drawChart } from './judge/chart';
import { DISTURBED, FIVE_FOLD, HEALTHY, Minutes, Part, RATES, ROWS, Row } from './judge/cutover';
import { Figures, describeFigures, sumParts } from './judge/figures';
import { describeRuns, drawTable } from './judge/table';
import { runParts } from './judge/workers';
import { writeFigures } from './report/markdown';

const USAGE = `Usage: npm run bench:judge -- [options]

  --healthy N      healthy cutovers, and cutovers with five times the errors, for each rate of requests (default 1000)
  --others N       cutovers of each other row in which the target is worse (default 300)
  --disturbed N    cutovers of each row in which it is not, and something else is wrong (default 50)
  --seed N         of all that is drawn (default 1)
  --threads N      (default: one for each core)
  --json FILE      writes the figures
  --svg FILE       draws them
  --markdown FILE  a table; in an existing file between its markers

Exit codes: 0 every aim is met, 1 one is missed.
`;

/** So many cutovers are handed to a thread at a time. */
const PART = 20;
const PROGRESS_MS = 15_000;

interface Options {
  readonly healthy: number;
  readonly others: number;
  readonly disturbed: number;
  readonly seed: number;
  readonly threads: number;
}

async function main(): Promise<number> {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    options: {
      ...{
        healthy: text,
        others: text,
        disturbed: text,
        seed: text,
        threads: text,
        json: text,
        svg: text,
        markdown: text,
      },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return EXIT_CODES.done.code;
  }
  const figures = await measureAll({
    healthy: count('--healthy', values.healthy, 1_000),
    others: count('--others', values.others, 300),
    disturbed: count('--disturbed', values.disturbed, 50),
    seed: count('--seed', values.seed, 1),
    threads: count('--threads', values.threads, availableParallelism()),
  });
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(figures, undefined, 2)}\n`);
  if (values.svg !== undefined)
    writeFileSync(values.svg, drawChart(figures, { healthy: HEALTHY.name, worse: FIVE_FOLD.name }));
  const aims = checkAims(figures);
  const verdicts = aims.map(({ isMet, text: what }) => `${isMet ? 'met' : 'MISSED'}: ${what}`);
  if (values.markdown !== undefined) {
    const list = verdicts.map((verdict) => `- ${verdict}`).join('\n');
    writeFigures(values.markdown, 'bench:judge', [drawTable(figures), describeRuns(figures), list].join('\n\n'));
  }
  process.stdout.write(`\n${verdicts.join('\n')}\n`);
  return aims.every(({ isMet }) => isMet) ? EXIT_CODES.done.code : EXIT_CODES.failed.code;
}

function count(name: string, text: string | undefined, fallback: number): number {
  const number = text === undefined ? fallback : Number(text);
  if (Number.isInteger(number) && number > 0) return number;
  throw new UsageError(`'${name}' must be an integer of 1 or more, got '${text}'`);
}

/** Prints each row as soon as it is measured, and now and then how far it is. */
async function measureAll(options: Options): Promise<Figures[]> {
  const cells = RATES.toReversed().flatMap((rate) => ROWS.map((row) => listParts(row, rate, options)));
  const done = new Map<Part, Minutes>();
  const figures: Figures[] = [];
  const started = Date.now();
  let said = started;
  const parts = cells.flat();
  await runParts(parts, options.threads, (part, minutes) => {
    done.set(part, minutes);
    const cell = cells.find((each) => each.includes(part))!;
    if (cell.every((each) => done.has(each))) {
      const found = sumParts(
        part,
        cell.map((each) => done.get(each)!),
      );
      figures.push(...found);
      process.stdout.write(found.map((each) => `${describeFigures(each)}\n`).join(''));
    }
    if (Date.now() - said < PROGRESS_MS) return;
    said = Date.now();
    process.stderr.write(`${done.size} of ${parts.length} parts after ${Math.round((said - started) / 1_000)} s\n`);
  });
  process.stderr.write(`all ${parts.length} parts after ${Math.round((Date.now() - started) / 1_000)} s\n`);
  return sortFigures(figures);
}

/** The longest first: at the end no thread waits long for another. */
function listParts(row: Row, requestsPerMinute: number, { healthy, others, disturbed, seed }: Options): Part[] {
  const isDisturbed = DISTURBED.includes(row);
  const all = row === HEALTHY || row === FIVE_FOLD ? healthy : isDisturbed ? disturbed : others;
  return Array.from({ length: Math.ceil(all / PART) }, (_, index) => {
    const first = index * PART;
    return { row: row.name, requestsPerMinute, first, cutovers: Math.min(PART, all - first), seed };
  });
}

function sortFigures(figures: readonly Figures[]): Figures[] {
  const names = ROWS.map(({ name }) => name);
  return figures.toSorted(
    (a, b) => names.indexOf(a.row) - names.indexOf(b.row) || a.requestsPerMinute - b.requestsPerMinute,
  );
}

void runMain(main);
