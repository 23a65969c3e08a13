// `npm run bench:faults`: every fault in every phase of a cutover, each in a local cloud of its own, with a client that
// counts for
// itself. Exit code 1 when a row did not end as it must.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { EXIT_CODES } from '../core/errors/exit-codes';
import { UsageError } from '../rehearsal/errors/usage-error';
import { runMain } from './cli/main';
import { FAULTS, PHASES, type Fault, type Phase } from './faults/matrix';
import type { RowResult } from './faults/run';
import { ROOT } from './processes/resolve';

const USAGE = `npm run bench:faults -- [--rows NAME[@PHASE],…] [--at-once N] [--app DIR] [--json FILE]

  --rows     some of the rows; all without it. Names: ${FAULTS.map(({ name }) => name).join(', ')}
             Phases: ${Object.keys(PHASES).join(', ')}
  --at-once  rows that run beside each other (2)
  --app      a synthesized app (cdk.out)
  --json     write the results
`;

interface Row {
  readonly fault: Fault;
  readonly phase: Phase;
}

function readRows(given: string | undefined): Row[] {
  const all = FAULTS.flatMap((fault) => fault.phases.map((phase): Row => ({ fault, phase })));
  if (given === undefined) return all;
  return given.split(',').flatMap((name) => {
    const found = all.filter(({ fault, phase }) => name === fault.name || name === `${fault.name}@${phase}`);
    if (found.length === 0) throw new UsageError(`'--rows' must name rows of the matrix, got '${name}'`);
    return found;
  });
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      rows: { type: 'string' },
      'at-once': { type: 'string', default: '2' },
      app: { type: 'string', default: join(ROOT, 'cdk.out') },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return EXIT_CODES.done.code;
  }
  const atOnce = Number(values['at-once']);
  if (!Number.isInteger(atOnce) || atOnce < 1) {
    throw new UsageError(`'--at-once' must be an integer of 1 or more, got '${values['at-once']}'`);
  }
  if (!existsSync(values.app)) throw new UsageError(`'--app' must be a synthesized app, got '${values.app}'`);
  const rows = readRows(values.rows);
  const results = await runAll(rows, values.app, atOnce);
  process.stdout.write(table(results));
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(results, undefined, 2)}\n`);
  return results.every(({ wrong }) => wrong.length === 0) ? EXIT_CODES.done.code : EXIT_CODES.failed.code;
}

async function runAll(rows: readonly Row[], app: string, atOnce: number): Promise<RowResult[]> {
  const results: RowResult[] = [];
  let next = 0;
  const worker = async () => {
    for (let at = next++; at < rows.length; at = next++) {
      const { fault, phase } = rows[at] as Row;
      results[at] = await runApart(app, fault, phase);
      const { wrong, outcome } = results[at] as RowResult;
      const verdict = wrong.length === 0 ? 'as it must' : `WRONG: ${wrong.join('; ')}`;
      process.stderr.write(`${at + 1}/${rows.length} ${fault.name}@${phase}: ${outcome}, ${verdict}\n`);
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, rows.length) }, worker));
  return results;
}

async function runApart(app: string, { name }: Fault, phase: Phase): Promise<RowResult> {
  const child = fork(join(__dirname, 'faults/row.js'), [app, name, phase], { stdio: 'inherit' });
  const ended = once(child, 'exit').then(([code]) =>
    Promise.reject(new Error(`row ${name}@${phase} ended with ${code}`)),
  );
  const [result] = (await Promise.race([once(child, 'message'), ended])) as [RowResult];
  ended.catch(() => undefined);
  return result;
}

function table(results: readonly RowResult[]): string {
  const head = [
    'fault',
    'phase',
    'outcome',
    'weights',
    'lock',
    'restored',
    'requests',
    'by fault',
    'beyond',
    'dropped',
  ];
  const lines = results.map((row) => [
    row.fault,
    row.phase,
    row.outcome,
    row.weights,
    row.lock,
    row.restoredSeconds === undefined ? '-' : `${row.restoredSeconds.toFixed(1)} s`,
    String(row.requests),
    String(row.lostByFault),
    String(row.lostBeyond),
    String(row.dropped),
  ]);
  const cells = [head, ...lines];
  const widths = head.map((_, column) => Math.max(...cells.map((line) => line[column]?.length ?? 0)));
  const text = cells.map((line) =>
    line
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  const wrong = results.flatMap((row) => row.wrong.map((each) => `  ${row.fault}@${row.phase}: ${each}; ${row.cause}`));
  const verdict = wrong.length === 0 ? `${results.length} rows ended as they must` : 'WRONG:';
  return `${[...text, '', verdict, ...wrong].join('\n')}\n`;
}

void runMain(main);
