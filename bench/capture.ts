// `npm run bench:capture`: what it costs writes to be recorded before they are forwarded. The same proxy with and without capture, in turn,
// under the same writes at a fixed rate. Exit code 1: an aim is missed.
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { EXIT_CODES } from '../core/errors/exit-codes';
import { UsageError } from '../rehearsal/errors/usage-error';
import { CaptureRow, measureCapture } from './capture/run';
import { CAPTURE_STORES, CaptureStore, findObstacle } from './capture/stores';
import { checkAims, drawTable } from './capture/table';
import { runMain } from './cli/main';
import { machine } from './processes/machine';
import { ROOT } from './processes/resolve';
import { withWorkplace } from './processes/workplace';
import { writeFigures } from './report/markdown';

const USAGE = `Usage: npm run bench:capture -- [options]

  --connections N,N,…   clients, each with a connection (default 50,100,200,300,350,400)
  --rate N              writes a second, of all of them (default 1000)
  --bytes N             of each body (default 500)
  --stores NAME,…       ${CAPTURE_STORES.join(', ')} (default all that can be)
  --rounds N            how often each is measured; the median counts (default 3)
  --seconds N           of each (default 5)
  --against ROOT        another build of this project, measured beside it
  --json FILE           everything that was measured
  --markdown FILE       a table; in an existing file between its markers

Exit codes: 0 every aim is met, 1 one is missed.
`;

const text = (fallback: string) => ({ type: 'string', default: fallback }) as const;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      connections: text('50,100,200,300,350,400'),
      ...{ rate: text('1000'), bytes: text('500'), rounds: text('3'), seconds: text('5') },
      ...{ stores: { type: 'string' }, against: { type: 'string' } },
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
  const tell = (line: string) => void process.stderr.write(`${line}\n`);
  const options = {
    connections: values.connections.split(',').map((each) => readCount('--connections', each)),
    rate: readCount('--rate', values.rate),
    bytes: readCount('--bytes', values.bytes),
    rounds: readCount('--rounds', values.rounds),
    seconds: readCount('--seconds', values.seconds),
    stores: findStores(values.stores, tell),
    against: values.against,
  };
  const rows = await withWorkplace((place) => measureCapture(place, options, tell));
  return report(rows, options.rate, values);
}

function report(rows: readonly CaptureRow[], rate: number, files: { json?: string; markdown?: string }): number {
  const { cpu, cores, kernel, versions, date } = machine();
  const where = `${cpu}, ${cores} cores, Linux ${kernel}; node ${versions.node}; ${date.slice(0, 10)}. ${rate} writes a second; medians.`;
  const aims = checkAims(rows);
  const verdicts = aims.map(({ isMet, text: what }) => `${isMet ? 'met' : 'MISSED'}: ${what}`);
  const table = drawTable(rows);
  if (files.json !== undefined)
    writeFileSync(files.json, `${JSON.stringify({ rows, machine: where, aims }, undefined, 2)}\n`);
  if (files.markdown !== undefined)
    writeFigures(
      files.markdown,
      'bench:capture',
      [where, table, verdicts.map((line) => `- ${line}`).join('\n')].join('\n\n'),
    );
  process.stdout.write(`${where}\n\n${table}\n\n${verdicts.join('\n')}\n`);
  return (aims.every(({ isMet }) => isMet) ? EXIT_CODES.done : EXIT_CODES.failed).code;
}

function readCount(name: string, given: string): number {
  const count = Number(given);
  if (Number.isInteger(count) && count > 0) return count;
  throw new UsageError(`'${name}' must be an integer from 1, got ${given}`);
}

/** Those that were named must be there; of all, those that are not are left out, with a line each. */
function findStores(names: string | undefined, tell: (line: string) => void): readonly CaptureStore[] {
  const named = names?.split(',').map(readStore);
  return (named ?? CAPTURE_STORES).filter((store) => {
    const obstacle = findObstacle(store);
    if (obstacle !== undefined && named)
      throw new UsageError(`'--stores ${store}' cannot be measured here: ${obstacle}`);
    if (obstacle !== undefined) tell(`${store} is left out: ${obstacle}`);
    return obstacle === undefined;
  });
}

function readStore(name: string): CaptureStore {
  const store = CAPTURE_STORES.find((each) => each === name);
  if (store !== undefined) return store;
  throw new UsageError(`'--stores' must be ${CAPTURE_STORES.join(', ')}, got ${name}`);
}

void runMain(main);
