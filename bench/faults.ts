// `npm run bench:faults`: every fault in every phase of a cutover, each in a local cloud of its own, with a client that counts
// for itself; and at every part of a switch. Exit code 1 when a row did not end as it must.
import { execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { EXIT_CODES } from '../core/errors/exit-codes';
import { UsageError } from '../rehearsal/errors/usage-error';
import { runMain } from './cli/main';
import { FAULTS, findFault, listAsked } from '../rehearsal/faults/table';
import { PHASES } from '../rehearsal/faults/phases';
import type { RowResult } from './faults/run';
import { SWITCH_FAULTS, SWITCH_PARTS } from '../rehearsal/faults/switch-table';
import { ROOT } from './processes/resolve';

const USAGE = `npm run bench:faults -- [--rows NAME[@PHASE],…] [--at-once N] [--app DIR] [--switch-app DIR] [--json FILE]

  --rows     some of the rows; all without it. Names: ${Object.keys(FAULTS).join(', ')}
             Phases: ${Object.keys(PHASES).join(', ')}
             Of a switch (switch:NAME@PART; switch: all of them): ${SWITCH_FAULTS.map(({ name }) => name).join(', ')}
             Parts: ${Object.keys(SWITCH_PARTS).join(', ')}
  --at-once  rows that run beside each other (2)
  --app      a synthesized app (cdk.out), for the rows that are not of a switch
  --switch-app  one that was synthesized with drainshift:strategy=drain-then-shift, for those that are
  --json     write the results after each row; rows of the file that ended as they must are not run again
`;

interface Row {
  /** Which app it takes. */
  readonly kind: 'gradual' | 'captured' | 'switch';
  readonly name: string;
  readonly phase: string;
}

function listRows(): Row[] {
  return [
    ...listAsked().map((asked): Row => ({
      kind: findFault(asked.name).needs === 'capture' ? 'captured' : 'gradual',
      ...asked,
    })),
    ...SWITCH_FAULTS.flatMap(({ name, parts }) => parts.map((phase): Row => ({ kind: 'switch', name, phase }))),
  ];
}

function formatRow({ kind, name, phase }: Row): string {
  return `${kind === 'switch' ? 'switch:' : ''}${name}@${phase}`;
}

function readRows(given: string | undefined): Row[] {
  const all = listRows();
  if (given === undefined) return all;
  return given.split(',').flatMap((name) => {
    const found = all.filter((row) => {
      const text = formatRow(row);
      return name === text || name === text.split('@')[0] || (name === 'switch' && row.kind === 'switch');
    });
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
      'switch-app': { type: 'string' },
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
  const rows = readRows(values.rows);
  const needs = (kind: Row['kind']) => rows.some((row) => row.kind === kind);
  const folder = mkdtempSync(join(tmpdir(), 'drainshift-faults-'));
  try {
    const ofSwitch = values['switch-app'] ?? join(folder, 'cdk.out');
    const captured = join(folder, 'captured');
    if (values['switch-app'] === undefined && needs('switch'))
      synthesize(ofSwitch, { 'drainshift:strategy': 'drain-then-shift' });
    if (needs('captured')) synthesize(captured, { 'drainshift:capture': 's3' });
    const apps = { gradual: values.app, captured, switch: ofSwitch };
    for (const [kind, app] of Object.entries(apps)) {
      if (!needs(kind as Row['kind']) || existsSync(app)) continue;
      throw new UsageError(`'--${kind === 'switch' ? 'switch-app' : 'app'}' must be a synthesized app, got '${app}'`);
    }
    return report(await runAll(rows, apps, { atOnce, json: values.json }));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The app of this package, which says itself what is wrong. */
function synthesize(folder: string, asked: object): void {
  const { context } = JSON.parse(readFileSync(join(ROOT, 'cdk.json'), 'utf8')) as { context: object };
  const env = {
    ...{ PATH: process.env.PATH, CDK_OUTDIR: folder, CDK_VALIDATION: 'false' },
    CDK_CONTEXT_JSON: JSON.stringify({ ...context, ...asked }),
  };
  execFileSync(process.execPath, [join(ROOT, 'dist/bin/app.js')], { env, stdio: ['ignore', 'ignore', 'inherit'] });
}

function report(results: readonly RowResult[]): number {
  process.stdout.write(table(results));
  return results.every(({ wrong }) => wrong.length === 0) ? EXIT_CODES.done.code : EXIT_CODES.failed.code;
}

type Apps = Readonly<Record<Row['kind'], string>>;

const findKey = ({ fault, phase }: Pick<RowResult, 'fault' | 'phase'>) => `${fault}@${phase}`;

function readSaved(file: string | undefined): ReadonlyMap<string, RowResult> {
  if (file === undefined || !existsSync(file)) return new Map();
  const saved = JSON.parse(readFileSync(file, 'utf8')) as readonly RowResult[];
  return new Map(saved.map((result) => [findKey(result), result]));
}

/** In the order of the table, so that a file changes where a result does. */
function save(json: string, known: ReadonlyMap<string, RowResult>): void {
  const results = listRows().flatMap((row) => known.get(formatRow(row)) ?? []);
  writeFileSync(json, `${JSON.stringify(results, undefined, 2)}\n`);
}

/** @returns the results of these rows; in the file there may be more */
async function runAll(
  rows: readonly Row[],
  apps: Apps,
  { atOnce, json }: { readonly atOnce: number; readonly json: string | undefined },
): Promise<RowResult[]> {
  const known = new Map(readSaved(json));
  const open = rows.filter((row) => known.get(formatRow(row))?.wrong.length !== 0);
  if (open.length < rows.length) process.stderr.write(`${rows.length - open.length} rows are in the file already\n`);
  let next = 0;
  const worker = async () => {
    for (let at = next++; at < open.length; at = next++) {
      const row = open[at] as Row;
      const result = await runApart(apps, row);
      known.set(formatRow(row), result);
      if (json !== undefined) save(json, known);
      const { wrong, outcome } = result;
      const verdict = wrong.length === 0 ? 'as it must' : `WRONG: ${wrong.join('; ')}`;
      process.stderr.write(`${at + 1}/${open.length} ${formatRow(row)}: ${outcome}, ${verdict}\n`);
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, open.length) }, worker));
  return rows.flatMap((row) => known.get(formatRow(row)) ?? []);
}

/** A row that breaks is wrong, and the others go on. */
async function runApart(apps: Apps, row: Row): Promise<RowResult> {
  const { kind, name, phase } = row;
  const child = fork(join(__dirname, 'faults/row.js'), [apps[kind], kind, name, phase], { stdio: 'inherit' });
  const ended = once(child, 'exit').then(([code, signal]) => buildBroken(row, String(signal ?? `exit code ${code}`)));
  const result = once(child, 'message').then(([value]) => value as RowResult);
  return Promise.race([result, ended]);
}

function buildBroken({ kind, name, phase }: Row, how: string): RowResult {
  return {
    ...{
      fault: kind === 'switch' ? `switch:${name}` : name,
      phase,
      outcome: 'none',
      cause: '',
      weights: 'none',
      lock: 'free',
    },
    ...{ requests: 0, lostByFault: 0, lostBeyond: 0, dropped: 0, evidenceLost: 0 },
    wrong: [`the row must end with a result, got ${how}`],
  };
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
