import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import type { Evidence } from '../core/cutover/evidence';
import { Recomputed, Replay, replay } from '../core/judge/replay';
import { oneLine } from '../core/text/one-line';
import { EXIT, asJson, warn } from './shared/operator-command';

const EXIT_HELP = `\nExit codes: ${EXIT.done} every verdict is the same, ${EXIT.refused} one differs or cannot be computed, ${EXIT.wrongUse} no evidence.`;

/** Adds `verdict`. */
export function addVerdictCommand(cli: Command, done: (exitCode: number) => void): void {
  cli
    .command('verdict')
    .description('compute every verdict of the judge again, from the evidence alone; nothing is called')
    .argument('<file>', 'the evidence of a cutover or of a rehearsal (JSON)')
    .option('--json', 'print JSON', false)
    .addHelpText('after', EXIT_HELP)
    .action((file: string, { json }: { json: boolean }) => done(checkVerdicts(file, json)));
}

function checkVerdicts(file: string, isJson: boolean): number {
  const evidence = readEvidence(file);
  if (!evidence) return EXIT.wrongUse;
  const { looks = [], looksMissing, plan } = evidence;
  if (looks.length === 0) {
    warn(`'looks' must have what the judge was given, got none: ${looksMissing ?? 'nothing was shifted'}`);
    return EXIT.refused;
  }
  const found = recompute(() => replay(plan, looks));
  if (!found) return EXIT.refused;
  const isSame = found.differences.length === 0 && looksMissing === undefined;
  if (isJson)
    process.stdout.write(asJson({ same: isSame, ...found, ...(looksMissing !== undefined && { looksMissing }) }));
  else process.stdout.write(`${describe(found, looksMissing).join('\n')}\n`);
  return isSame ? EXIT.done : EXIT.refused;
}

function recompute(compute: () => Replay): Replay | undefined {
  try {
    return compute();
  } catch (error) {
    warn(`the verdicts must be computable from the evidence, got ${oneLine((error as Error).message)}`);
    return undefined;
  }
}

function readEvidence(file: string): Evidence | undefined {
  try {
    const value = JSON.parse(readFileSync(file, 'utf8')) as Evidence | null;
    if (value?.schema === 'drainshift/evidence/1') return value;
    warn(`'file' must be the evidence of a cutover (drainshift/evidence/1), got '${file}'`);
  } catch (error) {
    warn(`'file' must be JSON that can be read, got '${file}' (${oneLine((error as Error).message)})`);
  }
  return undefined;
}

function describe({ polls, verdicts, differences }: Replay, looksMissing: string | undefined): string[] {
  const many = differences.length > MAX_DIFFERENCES ? [`and ${differences.length - MAX_DIFFERENCES} more`] : [];
  return [
    ...verdicts.flatMap(describeVerdict),
    ...differences.slice(0, MAX_DIFFERENCES).map((each) => `differs: ${describeDifference(each)}`),
    ...many,
    ...(looksMissing === undefined ? [] : [`missing: ${looksMissing}`]),
    differences.length === 0 && looksMissing === undefined
      ? `same: ${verdicts.length} verdicts and the odds of ${polls} polls, computed again`
      : `not the same: ${differences.length} of ${polls} polls and ${verdicts.length} verdicts differ`,
  ];
}

const MAX_DIFFERENCES = 20;

function describeVerdict({ at, stage, recomputed, because }: Recomputed): string[] {
  return [`${iso(at)} stage ${stage + 1}: ${recomputed}`, ...because.map((line) => `  ${line}`)];
}

function describeDifference({ at, stage, recorded, recomputed }: Recomputed): string {
  return `${iso(at)} stage ${stage + 1}: ${recorded} on record, ${recomputed} computed again`;
}

function iso(atMs: number): string {
  return new Date(atMs).toISOString();
}
