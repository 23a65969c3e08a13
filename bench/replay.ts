// `npm run bench:replay`: replays of a generated day of captured traffic, beside a generator that sends the same requests. Exit code 1: more
// of a capture took more memory.
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { EXIT_CODES } from '../core/errors/exit-codes';
import { UsageError } from '../rehearsal/errors/usage-error';
import { runMain } from './cli/main';
import { ROOT } from './processes/resolve';
import { withWorkplace } from './processes/workplace';
import { ReplayBench, findBreaches, runReplayBench } from './replay/run';

const USAGE = `npm run bench:replay -- [--megabytes N] [--rounds N] [--json FILE]

  --megabytes  of captured lines, before they are compressed (300)
  --rounds     of each measurement; the medians count (3)
  --json       write the results
`;

function readCount(name: string, given: string): number {
  const value = Number(given);
  if (Number.isInteger(value) && value >= 1) return value;
  throw new UsageError(`'--${name}' must be an integer of 1 or more, got '${given}'`);
}

function format({
  megabytes,
  requests,
  plain,
  replay,
  megabytesPerSecond,
  peakMegabytes,
  peakOfFifthMegabytes,
}: ReplayBench): string {
  const rows = [
    ['plain generator', plain] as const,
    ...Object.entries(replay).map(([key, rate]) => [`replay --key ${key}`, rate] as const),
  ];
  return [
    `${requests} requests of one day, ${Math.round(megabytes)} MB of lines`,
    ...rows.map(
      ([name, rate]) => `${name.padEnd(28)} ${String(Math.round(rate)).padStart(6)}/s  ${(rate / plain).toFixed(2)}`,
    ),
    `${megabytesPerSecond.toFixed(1)} MB/s of captured lines by connection`,
    `memory at most ${Math.round(peakMegabytes)} MB; of a fifth of the capture ${Math.round(peakOfFifthMegabytes)} MB`,
  ].join('\n');
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      megabytes: { type: 'string', default: '300' },
      rounds: { type: 'string', default: '3' },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return EXIT_CODES.done.code;
  }
  if (!existsSync(join(ROOT, 'dist/bin/drainshift.js'))) throw new UsageError('It must be built first (npm run build)');
  const [megabytes, rounds] = [readCount('megabytes', values.megabytes), readCount('rounds', values.rounds)];
  const result = await withWorkplace(({ directory }) => runReplayBench(directory, megabytes, rounds));
  process.stdout.write(`${format(result)}\n`);
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(result, undefined, 2)}\n`);
  const breaches = findBreaches(result);
  for (const breach of breaches) process.stderr.write(`${breach}\n`);
  return breaches.length === 0 ? EXIT_CODES.done.code : EXIT_CODES.failed.code;
}

void runMain(main);
