// `npm run bench:synth`: how long a CDK app with a migration takes to synthesize, next to a plain app of aws-cdk-lib that
// makes the same resources by hand. Both are processes, as the CDK's own command starts them, and take turns.
import { parseArgs } from 'node:util';
import { EXIT_CODES } from '../core/errors/exit-codes';
import { UsageError } from '../rehearsal/errors/usage-error';
import { runMain } from './cli/main';
import { median } from './report/results';
import { differences } from './synth/same-resources';
import { synthesize, type Synthesis } from './synth/synthesize';

const USAGE = `Usage: npm run bench:synth -- [--rounds N]

  --rounds N   of each app, after one that does not count (default 7)
`;
/** Over this the constructs themselves would be what makes an app slow. */
const ALLOWED_RATIO = 1.15;
const APPS = ['migration', 'plain'] as const;

type AppName = (typeof APPS)[number];

function main(): number {
  const rounds = readRounds();
  if (rounds === 'help') {
    process.stdout.write(USAGE);
    return EXIT_CODES.done.code;
  }
  const first = { migration: synthesize('migration'), plain: synthesize('plain') };
  const different = differences(first.migration.resources, first.plain.resources);
  if (different.length > 0) {
    process.stderr.write(`bench/synth/plain.ts must make what a migration makes:\n  ${different.join('\n  ')}\n`);
    return EXIT_CODES.failed.code;
  }
  return report(measure(rounds));
}

function readRounds(): number | 'help' {
  const { values } = parseArgs({
    options: { rounds: { type: 'string', default: '7' }, help: { type: 'boolean', default: false } },
  });
  if (values.help) return 'help';
  const rounds = Number(values.rounds);
  if (Number.isInteger(rounds) && rounds > 0) return rounds;
  throw new UsageError(`'--rounds' must be an integer of 1 or more, got '${values.rounds}'`);
}

/** In turns, and each second round the other way round: what slows the machine down meets both. */
function measure(rounds: number): Record<AppName, Synthesis[]> {
  const measured: Record<AppName, Synthesis[]> = { migration: [], plain: [] };
  for (let round = 0; round < rounds; round += 1) {
    for (const app of round % 2 === 0 ? APPS : APPS.toReversed()) measured[app].push(synthesize(app));
  }
  return measured;
}

function report(measured: Record<AppName, Synthesis[]>): number {
  const computeMedian = (app: AppName, what: 'seconds' | 'cpuSeconds') =>
    median(measured[app].map((each) => each[what]));
  for (const app of APPS) {
    const all = measured[app].map(({ seconds }) => seconds);
    const spread = `${Math.min(...all).toFixed(2)} to ${Math.max(...all).toFixed(2)}`;
    const cpu = computeMedian(app, 'cpuSeconds').toFixed(2);
    process.stdout.write(
      `${app.padEnd(9)}  median ${computeMedian(app, 'seconds').toFixed(2)} s (${spread}), CPU ${cpu} s, ${all.length} rounds\n`,
    );
  }
  const ratio = computeMedian('migration', 'seconds') / computeMedian('plain', 'seconds');
  const cpuRatio = computeMedian('migration', 'cpuSeconds') / computeMedian('plain', 'cpuSeconds');
  process.stdout.write(
    `ratio      ${ratio.toFixed(3)} by the clock, ${cpuRatio.toFixed(3)} by CPU; ${ALLOWED_RATIO} is allowed\n`,
  );
  return ratio <= ALLOWED_RATIO ? EXIT_CODES.done.code : EXIT_CODES.failed.code;
}

void runMain(main);
