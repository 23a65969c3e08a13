// `npm run bench:proxy`: our proxy and its peers, in the same run.
import { readFileSync, writeFileSync } from 'node:fs';
import { EXIT_CODES } from '../core/errors/exit-codes';
import { runMain } from './cli/main';
import { BENCH_USAGE, readBenchOptions, type BenchOptions } from './cli/options';
import { withWorkplace } from './processes/workplace';
import { writeMarkdown } from './report/markdown';
import type { Results } from './report/results';
import { svg } from './report/svg';
import { table } from './report/table';
import { runBench } from './run';

const progress = (line: string) => void process.stderr.write(`${line}\n`);

/** @returns the exit code: `failed` when something could not be measured */
async function main(): Promise<number> {
  const options = readBenchOptions(process.argv.slice(2));
  if (options === 'help') {
    process.stdout.write(BENCH_USAGE);
    return EXIT_CODES.done.code;
  }
  const results = options.from === undefined ? await measured(options) : earlier(options.from);
  report(results, options);
  return results.rows.some(({ peers }) => peers.some(({ failure }) => failure !== undefined))
    ? EXIT_CODES.failed.code
    : EXIT_CODES.done.code;
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

void runMain(main);
