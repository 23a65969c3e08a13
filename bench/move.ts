// `npm run bench:move`: live WebSockets over two proxies, moved to the other backend by one retarget while each of them sends and gets
// numbered messages. Exit code 1: an aim is missed.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { EXIT_CODES } from '../core/errors/exit-codes';
import { UsageError } from '../rehearsal/errors/usage-error';
import { runMain } from './cli/main';
import { checkAims } from './move/aims';
import { drawChart } from './move/chart';
import type { MoveResult } from './move/figures';
import { MoveRun, type MoveOptions } from './move/run';
import { describeRun, drawTable } from './move/table';
import { machine } from './processes/machine';
import { ROOT } from './processes/resolve';
import { withWorkplace } from './processes/workplace';
import { writeFigures } from './report/markdown';

const USAGE = `Usage: npm run bench:move -- [options]

  --connections N           WebSockets in all (default 10000)
  --messages-per-second N   numbered messages of all clients; backends push half as many (default 2000)
  --moves N                 how often all of them are moved, there and back in turn (default 1)
  --proxies N               (default 2)
  --workers N               of each proxy (default 2)
  --set NAME=VALUE          a setting of the proxies; may be repeated: --set move-concurrency=16
  --profiles DIR            writes profiles of the proxies' processes
  --json FILE               everything that was measured
  --svg FILE                draws how the stall is distributed
  --markdown FILE           a table; in an existing file between its markers

Exit codes: 0 every aim is met, 1 one is missed.
`;

const text = { type: 'string' } as const;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      ...{ connections: text, 'messages-per-second': text, moves: text, proxies: text, workers: text },
      ...{ profiles: text, json: text, svg: text, markdown: text },
      set: { type: 'string', multiple: true, default: [] },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return EXIT_CODES.done.code;
  }
  if (!existsSync(join(ROOT, 'dist/assets/proxy/proxy.js')))
    throw new UsageError('The proxy must be built first (npm run build)');
  const { profiles } = values;
  if (profiles !== undefined) mkdirSync(profiles, { recursive: true });
  const options: MoveOptions = {
    connections: count('--connections', values.connections, 10_000),
    messagesPerSecond: count('--messages-per-second', values['messages-per-second'], 2_000),
    moves: count('--moves', values.moves, 1),
    proxies: count('--proxies', values.proxies, 2),
    workers: count('--workers', values.workers, 2),
    settings: Object.fromEntries(values.set.map(readSetting)),
    profiles,
  };
  const tell = (line: string) => void process.stderr.write(`${line}\n`);
  const result = await withWorkplace((place) => new MoveRun(place, options, tell).run());
  return report(result, values);
}

function report(result: MoveResult, files: { json?: string; svg?: string; markdown?: string }): number {
  const { cpu, cores, kernel, versions, date } = machine();
  const where = `${cpu}, ${cores} cores, Linux ${kernel}; node ${versions.node}; ${date.slice(0, 10)}.`;
  const aims = checkAims(result);
  const verdicts = aims.map(({ isMet, text: what }) => `${isMet ? 'met' : 'MISSED'}: ${what}`);
  const rejected = result.rounds.flatMap(({ rejected: by }) => Object.entries(by));
  const why = rejected.map(([code, times]) => `not moved, ${code}: ${times}`);
  if (files.json !== undefined)
    writeFileSync(files.json, `${JSON.stringify({ ...result, machine: where, aims }, undefined, 2)}\n`);
  if (files.svg !== undefined) writeFileSync(files.svg, drawChart(result));
  const table = drawTable(result);
  if (files.markdown !== undefined) {
    const list = [...verdicts, ...why].map((line) => `- ${line}`).join('\n');
    writeFigures(files.markdown, 'bench:move', [where, describeRun(result), table, list].join('\n\n'));
  }
  process.stdout.write(`${[describeRun(result), table, '', ...verdicts, ...why].join('\n')}\n`);
  return aims.every(({ isMet }) => isMet) ? EXIT_CODES.done.code : EXIT_CODES.failed.code;
}

function readSetting(given: string): readonly [string, string] {
  const [name = '', ...value] = given.split('=');
  if (name !== '' && value.length > 0) return [name, value.join('=')];
  throw new UsageError(`'--set' must be NAME=VALUE, got '${given}'`);
}

function count(name: string, given: string | undefined, fallback: number): number {
  const number = given === undefined ? fallback : Number(given);
  if (Number.isInteger(number) && number > 0) return number;
  throw new UsageError(`'${name}' must be an integer of 1 or more, got '${given}'`);
}

void runMain(main);
