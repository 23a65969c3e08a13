// `npm run bench:switch`: switches of real proxy processes over a real store, under clients that count for themselves.
// Exit code 1 when a switch was not as it must be.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { EXIT_CODES } from '../core/errors/exit-codes';
import { UsageError } from '../rehearsal/errors/usage-error';
import { runMain } from './cli/main';
import { ROOT } from './processes/resolve';
import { withWorkplace, type Workplace } from './processes/workplace';
import { Chance } from './soak/account/chance';
import { runBatch, type SwitchResult } from './switch/batch';
import { findBreaches, formatLoad, runLoad } from './switch/load';
import { FAULTS, HOOKS, PARTS, PLAIN, drawRow, formatRow, listRows, type Row } from './switch/parts';

const USAGE = `npm run bench:switch -- [--faults N | --rows FAULT[@PART],… | --rate N [--ramp N]] [--seed N] [--at-once N] [--json FILE]

  --faults   so many switches, each with a kill, a freeze or a lost response at a random part of it
  --rows     those of the table; all: every fault at every part. Parts: ${PARTS.join(', ')}
             Faults: ${[...Object.keys(FAULTS), ...Object.keys(HOOKS)].join(', ')}
  --rate     switches there and back under so many writes a second, without a fault: what the clients waited (1000)
  --switches how many of them (4)
  --ramp     so many waiting requests are released in the first second, twice as many in each further one; 0: all at once (0)
  --trials   writes that the target has served before the first switch; 0: it is cold (3000)
  --seed     of the draws (1)
  --at-once  worlds that run beside each other (4)
  --json     write the results; switches that are in the file already are not made again
`;

/** Of one setup. Its writes are compared at its end. */
const BATCH = 10;

interface Saved {
  readonly seed: number;
  readonly results: readonly SwitchResult[];
}

function readRows(given: string): Row[] {
  const all = listRows();
  if (given === 'all') return all;
  return given.split(',').flatMap((name) => {
    const found = all.filter((row) => name === row.fault || name === formatRow(row));
    if (name === 'none') return [PLAIN];
    if (found.length === 0) throw new UsageError(`'--rows' must name rows of the table, got '${name}'`);
    return found;
  });
}

function readCount(name: string, given: string | undefined, min = 1): number {
  const value = Number(given);
  if (Number.isInteger(value) && value >= min) return value;
  throw new UsageError(`'--${name}' must be an integer of ${min} or more, got '${given}'`);
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      faults: { type: 'string' },
      rows: { type: 'string' },
      rate: { type: 'string' },
      switches: { type: 'string', default: '4' },
      ramp: { type: 'string', default: '0' },
      trials: { type: 'string', default: '3000' },
      seed: { type: 'string', default: '1' },
      'at-once': { type: 'string', default: '4' },
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
  const isPlain = values.faults === undefined && values.rows === undefined;
  if (isPlain || values.rate !== undefined) return load(values);
  const seed = readCount('seed', values.seed);
  // Each has draws of its own, so that a part of them is the same as in the whole.
  const draw = (index: number) => drawRow(new Chance(seed * 100_003 + index));
  const rows =
    values.rows === undefined
      ? Array.from({ length: readCount('faults', values.faults) }, (_, index) => draw(index))
      : readRows(values.rows);
  const before = readSaved(values.json, seed);
  const made = new Map(before.map((result) => [result.index, result]));
  const open = rows.map((row, index) => [index, row] as const).filter(([index]) => !made.has(index));
  const save = (results: readonly SwitchResult[]) => {
    for (const result of results) made.set(result.index, result);
    const saved: Saved = { seed, results: [...made.values()].sort((a, b) => a.index - b.index) };
    if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(saved, undefined, 2)}\n`);
  };
  await withWorkplace((place) => runAll(place, open, { atOnce: readCount('at-once', values['at-once']), save }));
  return report([...made.values()], seed);
}

interface LoadValues extends Readonly<Record<'switches' | 'ramp' | 'trials', string>> {
  readonly rate?: string;
  readonly json?: string;
}

async function load(values: LoadValues): Promise<number> {
  const options = {
    perSecond: readCount('rate', values.rate ?? '1000'),
    switches: readCount('switches', values.switches),
    rampPerSecond: readCount('ramp', values.ramp, 0),
    trials: readCount('trials', values.trials, 0),
  };
  const result = await withWorkplace((place) => runLoad(place, options));
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(result, undefined, 2)}\n`);
  process.stdout.write(`${formatLoad(result)}\n`);
  return findBreaches(result).length === 0 ? EXIT_CODES.done.code : EXIT_CODES.failed.code;
}

function readSaved(file: string | undefined, seed: number): readonly SwitchResult[] {
  if (file === undefined || !existsSync(file)) return [];
  const saved = JSON.parse(readFileSync(file, 'utf8')) as Saved;
  if (saved.seed !== seed) throw new UsageError(`'--json' must be of seed ${seed}, got one of seed ${saved.seed}`);
  return saved.results;
}

async function runAll(
  place: Workplace,
  rows: readonly (readonly [number, Row])[],
  { atOnce, save }: { readonly atOnce: number; readonly save: (results: readonly SwitchResult[]) => void },
): Promise<void> {
  const batches = Array.from({ length: Math.ceil(rows.length / BATCH) }, (_, at) =>
    rows.slice(at * BATCH, (at + 1) * BATCH),
  );
  const worker = async () => {
    for (let batch = batches.shift(); batch; batch = batches.shift()) {
      const results = await runBatch(place, batch);
      save(results);
      for (const result of results) process.stderr.write(`${formatResult(result)}\n`);
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, batches.length) }, worker));
}

function formatResult({ index, row, from, epoch, outcome, wasMet, marginMs, wrong, why }: SwitchResult): string {
  const margin = marginMs === undefined ? '' : `, ${marginMs.toFixed(1)} ms between the sides`;
  const met = wasMet ? '' : ' (its part never came)';
  const verdict = wrong.length === 0 ? 'as it must' : `WRONG: ${wrong.join('; ')}`;
  return `${index} ${row}${met} from ${from}, epoch ${epoch}: ${outcome}${why === undefined ? '' : ` (${why})`}${margin}: ${verdict}`;
}

function report(results: readonly SwitchResult[], seed: number): number {
  const count = (holds: (result: SwitchResult) => boolean) => results.filter(holds).length;
  const margins = results.flatMap(({ marginMs }) => (marginMs === undefined ? [] : [marginMs]));
  const wrong = results.filter((result) => result.wrong.length > 0);
  const lines = [
    `${results.length} switches, seed ${seed}: ${count(({ outcome }) => outcome === 'commit')} committed, ` +
      `${count(({ outcome }) => outcome === 'abort')} aborted, ${count(({ wasMet }) => !wasMet)} whose part never came`,
    `between the last write of a side and the first of the other: at least ${Math.min(...margins).toFixed(1)} ms ` +
      `in ${margins.length} commits`,
    `load of the machine at the end: ${loadavg()[0]?.toFixed(1)}`,
    wrong.length === 0 ? 'all were as they must be' : `WRONG: ${wrong.length}`,
    ...wrong.map((result) => `  ${formatResult(result)}`),
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
  return wrong.length === 0 ? EXIT_CODES.done.code : EXIT_CODES.failed.code;
}

void runMain(main);
