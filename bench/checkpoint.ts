// `npm run bench:checkpoint`: the memory of a running web application moves to another host, there and back, under clients that are held
// and count for themselves. Exit code 1 when one of them had an error, or a count is not theirs.
import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { EXIT_CODES } from '../core/errors/exit-codes';
import { UsageError } from '../rehearsal/errors/usage-error';
import { findCriu } from '../rehearsal/hosts/requirements';
import { KINDS, type Kind } from './checkpoint/application';
import { findBreaches, formatResult, runMoves } from './checkpoint/run';
import { runMain } from './cli/main';
import { ROOT } from './processes/resolve';
import { withWorkplace } from './processes/workplace';

const USAGE = `npm run bench:checkpoint -- [--kind node|python] [--megabytes N] [--rate N] [--moves N] [--json FILE]

  --kind       of the application; both without it
  --megabytes  that it has in its memory (200)
  --rate       requests a second, each of which counts (100)
  --moves      there and back, one after the other (6)
  --json       write the results, of one kind

It takes root and criu 4.2 (DRAINSHIFT_CRIU names another one).
`;

const INHERITED = { stdio: 'inherit' } as const;

function readCount(name: string, given: string): number {
  const value = Number(given);
  if (Number.isInteger(value) && value >= 1) return value;
  throw new UsageError(`'--${name}' must be an integer of 1 or more, got '${given}'`);
}

function readKinds(given: string | undefined): readonly Kind[] {
  if (given === undefined) return KINDS;
  const kind = KINDS.find((each) => each === given);
  if (kind) return [kind];
  throw new UsageError(`'--kind' must be one of ${KINDS.join(', ')}, got '${given}'`);
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      kind: { type: 'string' },
      megabytes: { type: 'string', default: '200' },
      rate: { type: 'string', default: '100' },
      moves: { type: 'string', default: '6' },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return EXIT_CODES.done.code;
  }
  if (!existsSync(join(ROOT, 'dist/assets/proxy/proxy.js')))
    throw new UsageError('The proxy must be built first (npm run build)');
  const criu = findCriu();
  const options = {
    megabytes: readCount('megabytes', values.megabytes),
    perSecond: readCount('rate', values.rate),
    moves: readCount('moves', values.moves),
  };
  const [kind, ...others] = readKinds(values.kind);
  // Each has a process of its own: clients of AWS keep the endpoint that they had.
  if (others.length > 0) {
    const args = process.argv.slice(2);
    const codes = KINDS.map(
      (each) => spawnSync(process.execPath, [__filename, ...args, '--kind', each], INHERITED).status,
    );
    return codes.find((code) => code !== 0) ?? EXIT_CODES.done.code;
  }
  const result = await withWorkplace((place) => runMoves(place, { kind: kind!, criu, ...options }));
  process.stdout.write(`${formatResult(result)}\n`);
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(result, undefined, 2)}\n`);
  return findBreaches(result).length === 0 ? EXIT_CODES.done.code : EXIT_CODES.failed.code;
}

void runMain(main);
