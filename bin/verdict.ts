import { Command } from 'commander';
import { VerdictCheck, verifyVerdicts } from '../core/cutover/verify-verdicts';
import type { Recomputed } from '../core/judge/replay';
import { oneLine } from '../core/text/one-line';
import { EvidenceUnreadable } from '../core/validation/shapes';
import { readEvidenceFile } from './shared/evidence-file';
import { EXIT, asJson, warn } from './shared/operator-command';

const EXIT_HELP = `\nExit codes: ${EXIT.done} every verdict is the same, ${EXIT.refused} one differs, is missing or cannot be computed, ${EXIT.wrongUse} no evidence, or damaged.`;

/** Adds `verdict`. */
export function addVerdictCommand(cli: Command, done: (exitCode: number) => void): void {
  cli
    .command('verdict')
    .description('compute every verdict of the judge again, from the evidence alone; nothing is called')
    .argument('<file>', 'the evidence of a cutover or of a rehearsal (JSON), - for standard input')
    .option('--json', 'print JSON', false)
    .addHelpText('after', EXIT_HELP)
    .action(async (file: string, { json }: { json: boolean }) => done(await checkVerdicts(file, json)));
}

async function checkVerdicts(file: string, isJson: boolean): Promise<number> {
  const found = await verify(file);
  if (typeof found === 'number') return found;
  const isSame = [found.differences, found.contradictions, found.missing].every((list) => list.length === 0);
  if (isJson) process.stdout.write(asJson({ same: isSame, ...found }));
  else process.stdout.write(`${describe(found, isSame).join('\n')}\n`);
  return isSame ? EXIT.done : EXIT.refused;
}

/** @returns an exit code where there is nothing to say of the verdicts */
async function verify(file: string): Promise<VerdictCheck | number> {
  try {
    return verifyVerdicts(await readEvidenceFile(file));
  } catch (error) {
    if (error instanceof EvidenceUnreadable) {
      for (const line of error.message.split('\n')) warn(`${oneLine(file)}: ${line}`);
      return EXIT.wrongUse;
    }
    if (!(error instanceof RangeError)) throw error;
    warn(`the verdicts must be computable from the evidence, got ${oneLine(error.message)}`);
    return EXIT.refused;
  }
}

function describe({ polls, verdicts, differences, contradictions, missing }: VerdictCheck, isSame: boolean): string[] {
  return [
    ...verdicts.flatMap(describeVerdict),
    ...limitLines(differences.map((each) => `differs: ${describeDifference(each)}`)),
    ...limitLines(contradictions.map((line) => `differs: ${oneLine(line)}`)),
    ...limitLines(missing.map((line) => `missing: ${oneLine(line)}`)),
    isSame
      ? `same: ${verdicts.length} verdicts and the odds of ${polls} polls, computed again`
      : `not the same: ${differences.length} of ${polls} polls and ${verdicts.length} verdicts differ, ` +
        `${contradictions.length} parts of the evidence do not follow from them, ${missing.length} are missing`,
  ];
}

const MAX_LINES = 20;

function limitLines(lines: readonly string[]): readonly string[] {
  return lines.length <= MAX_LINES
    ? lines
    : [...lines.slice(0, MAX_LINES), `and ${lines.length - MAX_LINES} more of them`];
}

function describeVerdict({ at, stage, recomputed, because }: Recomputed): string[] {
  return [`${iso(at)} stage ${stage + 1}: ${recomputed}`, ...because.map((line) => `  ${oneLine(line)}`)];
}

function describeDifference({ at, stage, recorded, recomputed }: Recomputed): string {
  return `${iso(at)} stage ${stage + 1}: ${oneLine(recorded)} on record, ${recomputed} computed again`;
}

function iso(atMs: number): string {
  return new Date(atMs).toISOString();
}
