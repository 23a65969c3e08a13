import { renderComparePage } from '../../compare/page/page';
import { describeComparison } from '../../core/compare/describe-comparison';
import { CutoverError } from '../../core/errors/errors';
import { EXIT_CODES } from '../../core/errors/exit-codes';
import { hideCredentials } from '../../core/text/credentials';
import { printable } from '../../core/text/printable';
import pc from 'picocolors';
import { addresses, keepUp } from './keep';
import { checkWritable, writeOutput } from './output-files';
import { cutOver } from '../run/cut-over';
import { RehearsalOptions, standUp } from '../run/rehearse';
import { htmlPage } from '../page/page';
import { Progress } from '../progress/progress';
import { summarize } from '../report/summary';
import type { Report } from '../report/evidence';
import { chooseExitCode } from '../report/exit-code';
import { reachVerdict } from '../report/verdict';
import type { RunningRehearsal } from '../cloud/running-rehearsal';
import { OutputGone } from './output-gone';
import { UsageError } from '../errors/usage-error';

interface CommandOptions extends RehearsalOptions {
  /** Files for the evidence and for the report. */
  readonly json?: string;
  readonly report?: string;
  /** Leave the local cloud up afterwards. */
  readonly keep: boolean;
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
  const reporter = new Progress(out);
  try {
    for (const [option, file] of listOutputs(options)) await checkWritable(option, file);
    const running = await standUp(options, reporter, signal);
    try {
      const report = await cutOver(running, options, reporter, signal);
      reporter.clear();
      out.write(`\n${coloured(report, out)}\n${listDifferences(report)}`);
      await writeFiles(options, report, out);
      if (options.keep) await keep(running, reporter, out, signal);
      return chooseExitCode(report.evidence);
    } finally {
      reporter.clear();
      await running.stop().catch(printError);
    }
  } catch (error) {
    if (signal.reason instanceof OutputGone) return EXIT_CODES.failed.code;
    reporter.clear();
    const isWrongUse =
      error instanceof UsageError ||
      (error instanceof CutoverError && ['PlanInvalid', 'ScenarioInvalid'].includes(error.code));
    printError(signal.aborted ? STOPPED : error);
    return (isWrongUse ? EXIT_CODES.wrongUse : EXIT_CODES.failed).code;
  }
}

const STOPPED = new Error('stopped before a verdict; everything that was started has ended');

function printError(error: unknown): void {
  process.stderr.write(`drainshift: ${hideCredentials(printable((error as Error).message))}\n`);
}

/** There is a verdict already: what breaks from here on is told, and changes nothing of it. */
async function keep(
  running: RunningRehearsal,
  reporter: Progress,
  out: NodeJS.WriteStream,
  signal: AbortSignal,
): Promise<void> {
  out.write(addresses(running));
  try {
    await keepUp(running, reporter, signal);
  } catch (error) {
    reporter.clear();
    printError(error);
  }
}

/** The first line by what was lost: green is for nothing. */
function coloured({ evidence }: Report, out: NodeJS.WriteStream): string {
  const [headline = '', ...rest] = summarize(evidence).split('\n');
  if (!out.isTTY) return [headline, ...rest].join('\n');
  const { lost, notTried, slower } = reachVerdict(evidence);
  const isUnsure = notTried.length > 0 || slower.length > 0;
  const colour = lost.length > 0 ? pc.red : isUnsure ? pc.yellow : pc.green;
  return [pc.bold(colour(headline)), ...rest].join('\n');
}

function listOutputs({ json, report, compare }: CommandOptions): [option: Output, file: string][] {
  const outputs: [Output, string | undefined][] = [
    ['--json', json],
    ['--report', report],
    ['--compare', compare],
  ];
  return outputs.flatMap(([option, file]) => (file === undefined ? [] : [[option, file]]));
}

type Output = '--json' | '--report' | '--compare';

const OUTPUTS: Readonly<Record<Output, string>> = {
  '--json': 'evidence',
  '--report': 'report',
  '--compare': 'comparison',
};

function format(option: Output, file: string, { evidence, samples }: Report): string {
  const asJson = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;
  if (option === '--report') return htmlPage(evidence, samples);
  const comparison = evidence.recordingSeen?.comparison;
  if (option === '--json' || !comparison) return asJson(evidence);
  return file.endsWith('.html') ? renderComparePage(comparison) : asJson(comparison);
}

/** The fields that differ, as a table. */
function listDifferences({ evidence }: Report): string {
  const { recordingSeen } = evidence;
  if (!recordingSeen || recordingSeen.comparison.differ === 0) return '';
  const lines = describeComparison(recordingSeen.comparison);
  // The summary has those before it.
  const table = lines.slice(lines.indexOf('') + 1).map((line) => `  ${printable(line)}\n`);
  return lines.includes('') ? `\n${table.join('')}` : '';
}

/** The verdict stands, whether or not it could be written. */
async function writeFiles(options: CommandOptions, report: Report, out: NodeJS.WriteStream): Promise<void> {
  for (const [option, file] of listOutputs(options)) {
    try {
      await writeOutput(option, file, format(option, file, report));
      out.write(`  ${OUTPUTS[option].padEnd(10)} ${file}\n`);
    } catch (error) {
      printError(error);
    }
  }
}
