import { CutoverError } from '../../core/errors/errors';
import { EXIT_CODES } from '../../core/errors/exit-codes';
import { printable } from '../../core/text/printable';
import pc from 'picocolors';
import { addresses, keepUp } from './keep';
import { checkWritable, writeOutput } from './output-files';
import { cutOver } from '../run/cut-over';
import { RehearsalOptions, standUp } from '../run/rehearse';
import { htmlReport } from '../report/html';
import { Progress } from '../progress/progress';
import { summarize } from '../report/summary';
import type { Picture } from '../report/evidence';
import { exitCodeOf } from '../report/exit-code';
import { verdictOf } from '../report/verdict';
import type { Standing } from '../cloud/running-rehearsal';
import { UsageError } from '../errors/usage-error';

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
      out.write(`\n${coloured(picture, out)}\n`);
      await writeFiles(options, picture, out);
      if (options.keep) await keep(standing, screen, out, signal);
      return exitCodeOf(picture.evidence);
    } finally {
      screen.clear();
      await standing.stop().catch(complain);
    }
  } catch (error) {
    if (signal.reason instanceof OutputGone) return EXIT_CODES.failed.code;
    screen.clear();
    const isWrongUse = error instanceof UsageError || (error instanceof CutoverError && error.code === 'PlanInvalid');
    complain(signal.aborted ? STOPPED : error);
    return (isWrongUse ? EXIT_CODES.wrongUse : EXIT_CODES.failed).code;
  }
}

const STOPPED = new Error('stopped before a verdict; everything that was started has ended');

function complain(error: unknown): void {
  process.stderr.write(`drainshift: ${printable((error as Error).message)}\n`);
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

/** The first line by what was lost: green is for nothing. */
function coloured({ evidence }: Picture, out: NodeJS.WriteStream): string {
  const [headline = '', ...rest] = summarize(evidence).split('\n');
  if (!out.isTTY) return [headline, ...rest].join('\n');
  const { lost, notTried } = verdictOf(evidence);
  const colour = lost.length > 0 ? pc.red : notTried.length > 0 ? pc.yellow : pc.green;
  return [pc.bold(colour(headline)), ...rest].join('\n');
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
