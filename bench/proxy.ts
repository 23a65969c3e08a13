// `npm run bench:proxy`: our proxy and its peers, in the same run.
import { readFileSync, writeFileSync } from 'node:fs';
import { BENCH_USAGE, readBenchOptions, WrongUse, type BenchOptions } from './options.ts';
import { withWorkplace } from './processes/workplace.ts';
import { writeMarkdown } from './report/markdown.ts';
import type { Results } from './report/results.ts';
import { svg } from './report/svg.ts';
import { table } from './report/table.ts';
import { runBench } from './run.ts';

const WRONG_USE = 64;
const FAILED = 1;

const progress = (line: string) => void process.stderr.write(`${line}\n`);

/** @returns the exit code: 1 when something could not be measured */
async function main(): Promise<number> {
  const options = readBenchOptions(process.argv.slice(2));
  if (options === 'help') {
    process.stdout.write(BENCH_USAGE);
    return 0;
  }
  const results = options.from === undefined ? await measured(options) : earlier(options.from);
  report(results, options);
  return results.rows.some(({ peers }) => peers.some(({ failure }) => failure !== undefined)) ? FAILED : 0;
}

function measured(options: BenchOptions): Promise<Results> {
  return withWorkplace((place) => runBench(place, options, progress));
}

function earlier(file: string): Results {
  return JSON.parse(readFileSync(file, 'utf8')) as Results;
}

function report(results: Results, { json, svg: chart, markdown }: BenchOptions): void {
  process.stdout.write(`${table(results)}\n`);
  if (json !== undefined) writeFileSync(json, `${JSON.stringify(results, undefined, 2)}\n`);
  if (chart !== undefined) writeFileSync(chart, svg(results));
  if (markdown !== undefined) writeMarkdown(markdown, results);
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(
    `${error instanceof WrongUse ? `${error.message}; see --help` : String((error as Error).stack)}\n`,
  );
  process.exitCode = error instanceof WrongUse ? WRONG_USE : FAILED;
}
