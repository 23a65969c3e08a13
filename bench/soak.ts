// `npm run bench:soak`: mixed load with faults against our proxy. Exit code 1 when anything was lost, leaked or wrong.
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EXIT_CODES } from '../core/errors/exit-codes';
import { UsageError } from '../rehearsal/errors/usage-error';
import { runMain } from './cli/main';
import { readSoakOptions, SOAK_USAGE, type SoakOptions } from './cli/options';
import { ROOT } from './processes/resolve';
import { withWorkplace } from './processes/workplace';
import { soak, type SoakResult } from './soak/run';
import { computeGrowth, megabytes } from './soak/account/verdict';

const progress = (line: string) => void process.stderr.write(`${line}\n`);

async function main(): Promise<number> {
  const options = readSoakOptions(process.argv.slice(2));
  if (options === 'help') {
    process.stdout.write(SOAK_USAGE);
    return EXIT_CODES.done.code;
  }
  if (!existsSync(join(ROOT, 'dist/assets/proxy/proxy.js')))
    throw new UsageError('The proxy must be built first (npm run build)');
  progress(`Soak of ${options.seconds} s in ${options.cycles} cycles, seed ${options.seed}`);
  const result = await withWorkplace((place) => soak(place, options, progress));
  report(result, options);
  return result.breachCount === 0 ? EXIT_CODES.done.code : EXIT_CODES.failed.code;
}

function report(result: SoakResult, { json }: SoakOptions): void {
  const counts = Object.entries(result.counts).map(([what, count]) => `  ${String(count).padStart(9)}  ${what}`);
  const breaches = result.breaches.map((breach) => `  ${breach}`);
  const verdict =
    result.breachCount === 0 ? 'nothing lost, nothing leaked' : `${result.breachCount} breaches, the first of them:`;
  process.stdout.write(
    `${[...counts, ...memoryLines(result), `${result.total} settled, seed ${result.seed}: ${verdict}`, ...breaches].join('\n')}\n`,
  );
  if (json !== undefined) writeFileSync(json, `${JSON.stringify(result, undefined, 2)}\n`);
}

function memoryLines({ proxies }: SoakResult): string[] {
  return proxies.flatMap(({ name, settled }) =>
    (['kept', 'resident'] as const).flatMap((what) => {
      const values = settled.map((reading) => reading[what]).filter((value) => value !== undefined);
      if (values.length === 0) return [];
      const { first, last } = computeGrowth(values);
      return [`Memory (${what}) of ${name}: ${megabytes(first)} in the first third, ${megabytes(last)} in the last`];
    }),
  );
}

void runMain(main);
