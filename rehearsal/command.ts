import { CutoverError } from '../core/errors';
import { addresses, keepUp } from './keep';
import { checkWritable, writeOutput } from './output-files';
import { cutOver } from './cut-over';
import { RehearsalOptions, standUp } from './rehearse';
import { htmlReport } from './report/html';
import { Progress } from './report/progress';
import { summarize } from './report/summary';
import { Picture, keptWeights } from './report/evidence';
import type { Standing } from './standing';
import { nothingLost } from './traffic/tally';
import { UsageError } from './usage-error';

interface CommandOptions extends RehearsalOptions {
  /** Files for the evidence and for the report. */
  readonly json?: string;
  readonly report?: string;
  /** Leave the world up afterwards. */
  readonly keep: boolean;
}

/** Why a rehearsal was stopped: nobody reads what it says any more (`rehearse | head -1`). */
export class OutputGone extends Error {
  override readonly name = 'OutputGone';
}

export const EXIT = { completed: 0, noVerdict: 1, rolledBack: 2, wrongUse: 64 } as const;

/**
 * A whole rehearsal as a person runs it: progress on `out`, the summary at its end, files where they were asked for.
 * Everything that was started has ended when it resolves, whatever happened.
 *
 * @returns the exit code
 */
export async function rehearseCommand(
  options: CommandOptions,
  out: NodeJS.WriteStream,
  signal: AbortSignal,
): Promise<number> {
  const screen = new Progress(out);
  try {
    for (const [option, file] of outputsOf(options)) await checkWritable(option, file);
    const standing = await standUp(options, screen, signal);
    try {
      const picture = await cutOver(standing, options, screen, signal);
      screen.clear();
      out.write(`\n${summarize(picture.evidence)}\n`);
      await writeFiles(options, picture, out);
      if (options.keep) await keep(standing, screen, out, signal);
      return exitCode(picture);
    } finally {
      screen.clear();
      await standing.stop().catch(complain);
    }
  } catch (error) {
    if (signal.reason instanceof OutputGone) return EXIT.noVerdict;
    screen.clear();
    const isWrongUse = error instanceof UsageError || (error instanceof CutoverError && error.code === 'PlanInvalid');
    complain(signal.aborted ? STOPPED : error);
    return isWrongUse ? EXIT.wrongUse : EXIT.noVerdict;
  }
}

const STOPPED = new Error('stopped before a verdict; everything that was started has ended');

function complain(error: unknown): void {
  process.stderr.write(`drainshift: ${(error as Error).message}\n`);
}

/** There is a verdict already: what breaks from here on is told, and changes nothing of it. */
async function keep(standing: Standing, screen: Progress, out: NodeJS.WriteStream, signal: AbortSignal): Promise<void> {
  out.write(addresses(standing));
  try {
    await keepUp(standing, screen, signal);
  } catch (error) {
    screen.clear();
    complain(error);
  }
}

/** A cutover that completed and lost something is no success to anybody; nor is a redeploy that moved or broke something. */
export function exitCode({ evidence }: Picture): number {
  const { adoption, redeploy } = evidence.rehearsal;
  if (adoption && !adoption.isLossless) return EXIT.noVerdict;
  if (redeploy && (!keptWeights(redeploy) || redeploy.status === 'UPDATE_ROLLBACK_FAILED')) return EXIT.noVerdict;
  if (evidence.outcome === 'rolled-back') return EXIT.rolledBack;
  return evidence.outcome === 'completed' && nothingLost(evidence.traffic) ? EXIT.completed : EXIT.noVerdict;
}

function outputsOf({ json, report }: CommandOptions): [option: string, file: string][] {
  const outputs: [string, string | undefined][] = [
    ['--json', json],
    ['--report', report],
  ];
  return outputs.flatMap(([option, file]) => (file === undefined ? [] : [[option, file]]));
}

/** The verdict stands, whether or not it could be written. */
async function writeFiles(options: CommandOptions, picture: Picture, out: NodeJS.WriteStream): Promise<void> {
  for (const [option, file] of outputsOf(options)) {
    const text = option === '--json' ? `${JSON.stringify(picture.evidence, null, 2)}\n` : htmlReport(picture);
    try {
      await writeOutput(option, file, text);
      out.write(`  ${option === '--json' ? 'evidence  ' : 'report    '} ${file}\n`);
    } catch (error) {
      complain(error);
    }
  }
}
