import { setTimeout as pause } from 'node:timers/promises';
import { Command } from 'commander';
import { printable } from '../../core/text/one-line';
import { END_EXITS, END_HELP } from '../shared/exits';
import { EXIT, OperatorFlags, operatorCommand, runOperator, warn } from '../shared/operator-command';
import type { Stop } from '../shared/stop';
import { Connected, connectCutover, executionFrom, requireExecution } from './connect';
import { Read, followExecution, lookAt } from './follow';
import { Redraw } from './redraw';
import { formatLine, formatSnapshot } from './show';
import { ShownExecution, Snapshot, readInForce, showExecution } from './snapshot';

interface WatchFlags extends OperatorFlags {
  readonly execution?: string;
}

/** Adds `watch`. */
export function addWatchCommand(cli: Command, done: (exitCode: number) => void): void {
  operatorCommand(
    cli.command('watch'),
    'follow a cutover to its end: weights, requests, errors, live connections, the odds of the judge, what comes next',
    END_HELP,
  )
    .option('--execution <name>', 'this cutover, instead of the one that is under way', executionFrom)
    .action(async (flags: WatchFlags) => done(await runOperator((stop) => watch(flags, stop))));
}

async function watch(flags: WatchFlags, { signal, endInOrder }: Stop): Promise<number> {
  const { ports } = await connectCutover(flags);
  const { stack, json } = flags;
  const name = await requireExecution(ports, flags.execution, stack);
  if (flags.execution !== undefined) await requireKnown(ports, name, stack);
  endInOrder();
  const print = json ? createJsonPrinter(stack) : createPrinter();
  let shown: ShownExecution | undefined;
  const onRead = async (read: Read) => {
    const inForce = await readInForce(ports);
    const nowMs = Date.now();
    if ('look' in read) shown = showExecution(name, read.look, nowMs);
    const problems = 'look' in read ? [] : [`the cutover now: ${read.problem}`];
    const unknown = [...inForce.unknown, ...problems];
    print({ at: new Date(nowMs).toISOString(), ...inForce, ...(shown && { execution: shown }), unknown });
  };
  const { outcome } = await followExecution(name, ports.executions, {
    onRead,
    signal,
    now: () => Date.now(),
    pause: (ms) => pause(ms, undefined, { signal }).catch(() => undefined),
  });
  if (outcome !== 'unfollowed') return END_EXITS[outcome].code;
  warn(`not watched any more: '${name}' goes on`);
  return EXIT.refused;
}

/** One that was started just now may not be known at once. */
const MAX_UNKNOWN_MS = 2_000;

/** @throws Error of a name that Step Functions does not know; while it cannot be asked, the one who follows says so */
async function requireKnown({ executions }: Connected['ports'], name: string, stack: string): Promise<void> {
  const untilMs = Date.now() + MAX_UNKNOWN_MS;
  for (;;) {
    const read = await lookAt(name, executions);
    if ('look' in read || !read.isUnknown) return;
    if (Date.now() >= untilMs) break;
    await pause(1_000);
  }
  throw new Error(`'--execution' must be a cutover of '${stack}', got '${name}', which Step Functions does not know`);
}

type Print = (snapshot: Snapshot) => void;

/** Anew in its place on a terminal; elsewhere a line when the state changes, and now and then. */
function createPrinter(): Print {
  const { stdout } = process;
  if (!stdout.isTTY) return sparingly((snapshot) => stdout.write(`${printable(formatLine(snapshot))}\n`), findNews);
  const lines = new Redraw(stdout);
  return (snapshot) => lines.draw(formatSnapshot(snapshot));
}

/** One JSON object a line. */
function createJsonPrinter(stack: string): Print {
  const print: Print = (snapshot) => process.stdout.write(`${JSON.stringify({ stack, ...snapshot })}\n`);
  return sparingly(print, (snapshot) => JSON.stringify({ ...snapshot, at: '' }));
}

/** What happened last is repeated after so long, so that a reader sees that it goes on. */
const REPEAT_MS = 30_000;

function sparingly(print: Print, findChanges: (snapshot: Snapshot) => string): Print {
  let last = { changes: '', atMs: 0 };
  return (snapshot) => {
    const changes = findChanges(snapshot);
    const atMs = Date.parse(snapshot.at);
    if (changes === last.changes && atMs - last.atMs < REPEAT_MS) return;
    print(snapshot);
    last = { changes, atMs };
  };
}

/** Of a line for a person: figures alone are no news. */
function findNews({ weights, execution, unknown }: Snapshot): string {
  const { state, stage, gate, outcome, rollsBackBecause, pace, countedAt } = execution ?? {};
  return JSON.stringify([weights, state, stage, gate, outcome, rollsBackBecause, pace, countedAt, unknown]);
}
