import { Command, InvalidArgumentError } from 'commander';
import {
  DRY_RUN_SECONDS,
  DryRunSummary,
  HoldDryRun,
  TaskDryRun,
  isCounted,
  listBySide,
  summarizeDryRun,
} from '../core/cutover/hold-dry-run';
import { oneLine, printable } from '../core/text/one-line';
import { parseDuration } from '../core/validation/duration';
import { readDecimal } from './shared/numbers';
import {
  EXIT,
  OperatorFlags,
  WrongUse,
  asJson,
  findCutover,
  operatorCommand,
  runOperator,
} from './shared/operator-command';
import { Stop, untilStopped } from './shared/stop';

interface HoldFlags extends OperatorFlags {
  readonly dryRun: boolean;
  /** Seconds. */
  readonly for: number;
}

/** After so long a person wants to see that it goes on. */
const QUIET_MS = 2_000;
const REPEAT_MS = 1_000;

/** Adds `hold`. */
export function addHoldCommand(cli: Command, done: (exitCode: number) => void): void {
  const { min, max, default: normal } = DRY_RUN_SECONDS;
  operatorCommand(cli.command('hold'), 'say how many requests a switch would hold now, and hold none')
    .option('--dry-run', 'must be given: a hold itself is a part of a switch', false)
    .option('--for <time>', `how long to count, from ${min}s to ${max}s`, readTime, normal)
    .action(async (flags: HoldFlags) => done(await runOperator((stop) => holdDryRun(flags, stop))));
}

function readTime(text: string): number {
  const { min, max } = DRY_RUN_SECONDS;
  const seconds = readDecimal(text) ?? parseDuration(text);
  if (seconds !== undefined && Number.isInteger(seconds) && seconds >= min && seconds <= max) return seconds;
  throw new InvalidArgumentError(`must be whole seconds from ${min}s to ${max}s, got '${text}'`);
}

async function holdDryRun(
  { dryRun: isDry, for: seconds, ...flags }: HoldFlags,
  { signal, endInOrder }: Stop,
): Promise<number> {
  if (!isDry) {
    const rule = "'--dry-run' must be given, got none";
    throw new WrongUse(`${rule}: a hold is part of a switch, which a cutover by a plan with drainThenShift makes`);
  }
  const { aws, config } = await findCutover(flags);
  endInOrder();
  const result = await withProgress(seconds, signal, () => aws.dryRunHold(config, seconds));
  if (!result) {
    const rule = `'${flags.stack}' must have a function for a dry run of a hold`;
    throw new Error(`${rule}, got a stack of an older version: deploy it again`);
  }
  if ('rejection' in result) throw new Error(result.rejection);
  const summary = summarizeDryRun(result);
  const text = `${[...formatTable(result, summary), '', ...summary.meaning].join('\n')}\n`;
  process.stdout.write(flags.json ? asJson({ stack: flags.stack, ...result, ...summary }) : printable(text));
  return summary.unknown > 0 ? EXIT.refused : EXIT.done;
}

/** Until it is done, or the person leaves: what is counted ends by itself. */
async function withProgress<T>(seconds: number, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  const startedMs = Date.now();
  const say = () => {
    const elapsedMs = Date.now() - startedMs;
    if (elapsedMs < QUIET_MS) return;
    process.stderr.write(`${Math.floor(elapsedMs / 1000)}s  every task counts for ${seconds}s\n`);
  };
  const timer = setInterval(say, REPEAT_MS);
  try {
    return await untilStopped(work(), signal, 'not followed any more: the tasks end their count by themselves');
  } finally {
    clearInterval(timer);
  }
}

const HEAD = ['TASK', 'SIDE', 'WOULD WAIT', 'OVER THE CAP', 'LONGEST REQUEST'] as const;

function formatTable({ tasks, seconds }: HoldDryRun, summary: DryRunSummary): string[] {
  const unknown = summary.unknown > 0 ? `, ${summary.unknown} unknown` : '';
  const total = [`in ${seconds}s`, `${tasks.length} tasks${unknown}`, ...formatFigures(summary)];
  const rows = [HEAD, ...listBySide(tasks).map(formatRow), total];
  const widths = HEAD.map((_, column) => Math.max(...rows.filter(isWhole).map((row) => row[column]!.length)));
  return rows.map((row) => {
    const cells = row.map((text, column) =>
      column < 2 || !isWhole(row) ? text.padEnd(widths[column]!) : text.padStart(widths[column]!),
    );
    return cells.join('  ').trimEnd();
  });
}

/** The text of an unknown task is as wide as it is. */
function isWhole(row: readonly string[]): boolean {
  return row.length === HEAD.length;
}

function formatRow(task: TaskDryRun): readonly string[] {
  return [task.id, task.side, ...(isCounted(task) ? formatFigures(task) : [`unknown: ${oneLine(task.problem)}`])];
}

function formatFigures(figures: Pick<DryRunSummary, 'waiting' | 'full' | 'longestRequestMs'>): string[] {
  const { waiting, full, longestRequestMs } = figures;
  return [String(waiting), String(full), `${longestRequestMs} ms`];
}
