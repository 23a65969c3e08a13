// `npm run bench:synth`: how long a CDK app with a migration takes to synthesize, next to a plain app of aws-cdk-lib that
// makes the same resources by hand. Both are processes, as the CDK's own command starts them, and take turns.
import { parseArgs } from 'node:util';
import { median } from './report/results.ts';
import { differences } from './synth/same-resources.ts';
import { synthesize, type Synthesis } from './synth/synthesize.ts';

const USAGE = `Usage: npm run bench:synth -- [--rounds N]

  --rounds N   of each app, after one that does not count (default 7)
`;
/** Over this the constructs themselves would be what makes an app slow. */
const ALLOWED_RATIO = 1.15;
const APPS = ['migration', 'plain'] as const;

type AppName = (typeof APPS)[number];

function main(): number {
  const rounds = readRounds();
  if (rounds === undefined) {
    process.stderr.write(USAGE);
    return 64;
  }
  const first = { migration: synthesize('migration'), plain: synthesize('plain') };
  const different = differences(first.migration.resources, first.plain.resources);
  if (different.length > 0) {
    process.stderr.write(`bench/synth/plain.ts must make what a migration makes:\n  ${different.join('\n  ')}\n`);
    return 1;
  }
  return report(measure(rounds));
}

function readRounds(): number | undefined {
  try {
    const { values } = parseArgs({ options: { rounds: { type: 'string', default: '7' } } });
    const rounds = Number(values.rounds);
    return Number.isInteger(rounds) && rounds > 0 ? rounds : undefined;
  } catch {
    return undefined;
  }
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
  return ratio <= ALLOWED_RATIO ? 0 : 1;
}

process.exitCode = main();
