import { writeFile } from 'node:fs/promises';
import { CutoverError } from '../core/errors';
import { addresses, keepUp } from './keep';
import { RehearsalOptions, cutOver, standUp } from './rehearse';
import { htmlReport } from './report/html';
import { Progress } from './report/progress';
import { summarize } from './report/summary';
import type { Picture } from './report/evidence';
import { nothingLost } from './traffic/tally';
import { UsageError } from './usage-error';

export interface CommandOptions extends RehearsalOptions {
  /** Files for the evidence and for the report. */
  readonly json?: string;
  readonly report?: string;
  /** Leave the world up afterwards. */
  readonly keep: boolean;
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
    const standing = await standUp(options, screen, signal);
    try {
      const picture = await cutOver(standing, options, screen, signal);
      screen.clear();
      out.write(`\n${summarize(picture.evidence)}\n`);
      await writeFiles(options, picture, out);
      if (options.keep) {
        out.write(addresses(standing.world));
        await keepUp(standing, screen, signal);
      }
      return exitCode(picture);
    } finally {
      screen.clear();
      await standing.stop();
    }
  } catch (error) {
    screen.clear();
    const isWrongUse = error instanceof UsageError || (error instanceof CutoverError && error.code === 'PlanInvalid');
    const message = signal.aborted
      ? 'stopped before a verdict; everything that was started has ended'
      : (error as Error).message;
    process.stderr.write(`drainshift: ${message}\n`);
    return isWrongUse ? EXIT.wrongUse : EXIT.noVerdict;
  }
}

/** A cutover that completed and lost something is no success to anybody. */
function exitCode({ evidence }: Picture): number {
  if (evidence.outcome === 'rolled-back') return EXIT.rolledBack;
  return evidence.outcome === 'completed' && nothingLost(evidence.traffic) ? EXIT.completed : EXIT.noVerdict;
}

async function writeFiles({ json, report }: CommandOptions, picture: Picture, out: NodeJS.WriteStream): Promise<void> {
  if (json !== undefined) {
    await writeFile(json, `${JSON.stringify(picture.evidence, null, 2)}\n`);
    out.write(`  evidence   ${json}\n`);
  }
  if (report !== undefined) {
    await writeFile(report, htmlReport(picture));
    out.write(`  report     ${report}\n`);
  }
}
