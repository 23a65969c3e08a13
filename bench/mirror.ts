// `npm run bench:mirror`: what a mirror costs the requests that are not copied for anybody. The same proxy without one, with a target that
// is live, one that takes no connection and one that never responds, in turn, under the same requests at a fixed rate. Exit code 1: an aim
// is missed.
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { EXIT_CODES } from '../core/errors/exit-codes';
import { UsageError } from '../rehearsal/errors/usage-error';
import { runMain } from './cli/main';
import { MirrorRow, measureMirror } from './mirror/run';
import { checkAims, drawTable } from './mirror/table';
import { machine } from './processes/machine';
import { ROOT } from './processes/resolve';
import { withWorkplace } from './processes/workplace';
import { writeFigures } from './report/markdown';

const USAGE = `Usage: npm run bench:mirror -- [options]

  --connections N       clients, each with a connection (default 50)
  --rate N              requests a second, of all of them (default 1000)
  --rounds N            how often each is measured; the median counts (default 5)
  --seconds N           of each (default 5)
  --json FILE           everything that was measured
  --markdown FILE       a table; in an existing file between its markers

Exit codes: 0 every aim is met, 1 one is missed.
`;

const text = (fallback: string) => ({ type: 'string', default: fallback }) as const;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      ...{ connections: text('50'), rate: text('1000'), rounds: text('5'), seconds: text('5') },
      ...{ json: { type: 'string' }, markdown: { type: 'string' } },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return EXIT_CODES.done.code;
  }
  if (!existsSync(join(ROOT, 'dist/assets/proxy/proxy.js')))
    throw new UsageError('The proxy must be built first (npm run build)');
  const options = {
    connections: readCount('--connections', values.connections),
    rate: readCount('--rate', values.rate),
    rounds: readCount('--rounds', values.rounds),
    seconds: readCount('--seconds', values.seconds),
  };
  const tell = (line: string) => void process.stderr.write(`${line}\n`);
  const rows = await withWorkplace((place) => measureMirror(place, options, tell));
  return report(rows, options, values);
}

function report(
  rows: readonly MirrorRow[],
  { rate, connections }: { readonly rate: number; readonly connections: number },
  files: { json?: string; markdown?: string },
): number {
  const { cpu, cores, kernel, versions, date } = machine();
  const load = `${rate} requests a second over ${connections} connections; medians.`;
  const where = `${cpu}, ${cores} cores, Linux ${kernel}; node ${versions.node}; ${date.slice(0, 10)}. ${load}`;
  const aims = checkAims(rows);
  const verdicts = aims.map(({ isMet, text: what }) => `${isMet ? 'met' : 'MISSED'}: ${what}`);
  const table = drawTable(rows);
  if (files.json !== undefined)
    writeFileSync(files.json, `${JSON.stringify({ rows, machine: where, aims }, undefined, 2)}\n`);
  if (files.markdown !== undefined) {
    const list = verdicts.map((line) => `- ${line}`).join('\n');
    writeFigures(files.markdown, 'bench:mirror', [where, table, list].join('\n\n'));
  }
  process.stdout.write(`${where}\n\n${table}\n\n${verdicts.join('\n')}\n`);
  return (aims.every(({ isMet }) => isMet) ? EXIT_CODES.done : EXIT_CODES.failed).code;
}

function readCount(name: string, given: string): number {
  const count = Number(given);
  if (Number.isInteger(count) && count > 0) return count;
  throw new UsageError(`'${name}' must be an integer from 1, got ${given}`);
}

void runMain(main);
