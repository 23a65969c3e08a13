import { Command } from 'commander';
import { Progress, withProgress } from '../../check/progress';
import { CheckVerdict, Judgement, formatBroken } from '../../core/check/verdict';
import { EXIT_CODES } from '../../core/errors/exit-codes';
import { printable } from '../../core/text/one-line';
import { EXIT, asJson, report, runOperator } from '../shared/operator-command';

const VERDICT_EXITS: Readonly<Record<CheckVerdict, number>> = {
  held: EXIT_CODES.done.code,
  broken: EXIT_CODES.failed.code,
  unknown: EXIT_CODES.unknown.code,
};

const EXIT_HELP = `\nExit codes: ${EXIT.done} every threshold held, ${EXIT.refused} one is broken, ${EXIT_CODES.unknown.code} it could not be found out, or was stopped before the end, ${EXIT.wrongUse} wrong use.`;

export function withExits(command: Command): Command {
  return command.addHelpText('after', EXIT_HELP);
}

/** What a check has found. */
export interface CheckReport {
  /** For JSON, beside the verdict. */
  readonly figures: object;
  /** For a person. */
  readonly lines: readonly string[];
  readonly judgement: Judgement;
}

/** What a running check is given. */
export interface CheckContext {
  /** Aborted when a person stops it: it then reports what it has seen. */
  readonly signal: AbortSignal;
  readonly progress: Progress;
  /** Prints a line as soon as it is known; with `--json` on the error stream. */
  readonly print: (line: string) => void;
}

/** @returns the exit code */
export function runCheck(
  check: string,
  { url, json }: { readonly url: string; readonly json: boolean },
  work: (context: CheckContext) => Promise<CheckReport>,
): Promise<number> {
  return runOperator(async ({ signal, endInOrder }) => {
    // From here on a stop ends it in order: with what was seen until then.
    endInOrder();
    const progress: Progress = { describe: () => 'starting' };
    const print = (line: string) => (json ? report(line) : void process.stdout.write(`${printable(line)}\n`));
    const { figures, lines, judgement } = await withProgress(progress, report, () => work({ signal, progress, print }));
    if (json) process.stdout.write(asJson({ check, url, ...judgement, stopped: signal.aborted, ...figures }));
    else process.stdout.write(printable(`${[...lines, ...formatJudgement(judgement)].join('\n')}\n`));
    return VERDICT_EXITS[judgement.verdict];
  });
}

function formatJudgement({ verdict, broken, unknown }: Judgement): string[] {
  return [
    ...broken.map((rule) => `broken: ${formatBroken(rule)}`),
    ...unknown.map((what) => `unknown: ${what}`),
    ...(verdict === 'held' ? ['held: every threshold'] : []),
  ];
}

/** Columns as wide as they have to be; numbers stand on the right. @param rows the first is the head */
export function formatTable(rows: readonly (readonly (string | number)[])[]): string[] {
  const columns = rows[0]?.map((_, column) => rows.map((row) => row[column] ?? '')) ?? [];
  const isNumeric = columns.map((cells) => typeof cells[1] === 'number');
  const widths = columns.map((cells) => Math.max(...cells.map((cell) => String(cell).length)));
  return rows.map((row) =>
    row
      .map((cell, at) => (isNumeric[at] ? String(cell).padStart(widths[at]!) : String(cell).padEnd(widths[at]!)))
      .join('  ')
      .trimEnd(),
  );
}
