import { writeFileSync } from 'node:fs';
import { Command } from 'commander';
import { withLooks } from '../../core/cutover/evidence';
import { readEvidence } from '../../core/cutover/read-evidence';
import { EvidenceUnreadable } from '../../core/validation/shapes';
import { parseEvidenceText } from '../shared/evidence-file';
import { EXIT, OperatorFlags, WrongUse, asJson, operatorCommand, runOperator, warn } from '../shared/operator-command';
import { Connected, connectCutover, executionFrom } from './connect';

export interface EvidenceFlags extends OperatorFlags {
  readonly execution?: string;
  readonly output?: string;
  readonly force: boolean;
}

/** Adds `evidence`. */
export function addEvidenceCommand(cli: Command, done: (exitCode: number) => void): void {
  withOutput(
    operatorCommand(cli.command('evidence'), 'download the evidence of a cutover that has ended (JSON)'),
  ).action(async (flags: EvidenceFlags) => done(await runOperator(() => download(flags))));
}

/** What the commands take that write a file. */
export function withOutput(command: Command): Command {
  return command
    .option('--execution <name>', 'of this cutover, instead of the last one that has ended', executionFrom)
    .option('--output <file>', 'a new file; standard output, when it is left out')
    .option('--force', 'overwrite the file', false);
}

async function download(flags: EvidenceFlags): Promise<number> {
  const { ports } = await connectCutover(flags);
  const { execution, text, problem } = await findEvidence(ports, flags);
  const code = writeOut(text.endsWith('\n') ? text : `${text}\n`, execution, flags);
  if (problem === undefined) return code;
  warn(`${problem}: it is written as it is`);
  return EXIT.refused;
}

export interface FoundEvidence {
  readonly execution: string;
  /** With what the judge was given at every poll, which the store has in objects of its own. */
  readonly text: string;
  /** Why it is no evidence; the text is that of the store then. */
  readonly problem?: string;
}

/** @throws Error where there is none */
export async function findEvidence(
  { store }: Connected['ports'],
  { execution: given, stack }: EvidenceFlags,
): Promise<FoundEvidence> {
  const execution = given ?? (await store.listEvidence())[0]?.execution;
  if (execution === undefined) throw new Error(`'${stack}' must have evidence of a cutover, got none yet`);
  const text = await store.readEvidence(execution);
  if (text === undefined) {
    throw new Error(`'${execution}' must have left evidence, got none: it has not ended, or never got its lock`);
  }
  try {
    return { execution, text: await fetchLooks(text, store) };
  } catch (error) {
    if (!(error instanceof EvidenceUnreadable)) throw error;
    return { execution, text, problem: `the evidence of '${execution}' is damaged: ${error.message}` };
  }
}

/**
 * What the store has in thousands of objects goes into the text as it is: a day has tens of megabytes.
 *
 * @throws EvidenceUnreadable of what is no evidence
 */
async function fetchLooks(text: string, store: Connected['ports']['store']): Promise<string> {
  const evidence = readEvidence(parseEvidenceText(text, 'it'));
  const { looksIn } = evidence;
  if (!looksIn) return text;
  const objects = await store.readLooks(looksIn);
  const { looks = [], ...rest } = withLooks(
    evidence,
    objects.map((object) => (object === undefined ? undefined : [])),
  );
  const lists = [...objects, JSON.stringify(looks)].map((list = '[]') => list.trim().slice(1, -1));
  const records = lists.filter((list) => list.trim() !== '').join(',');
  return `${JSON.stringify(rest).slice(0, -1)},"looks":[${records}]}`;
}

export function writeOut(text: string, execution: string, { output, force, json, stack }: EvidenceFlags): number {
  if (output === undefined) {
    process.stdout.write(text);
    return EXIT.done;
  }
  try {
    writeFileSync(output, text, { flag: force ? 'w' : 'wx' });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') throw new WrongUse(`'--output' must not exist, or --force must be given, got '${output}'`);
    warn(`'--output' must be writable, got '${output}' (${code})`);
    return EXIT.refused;
  }
  process.stdout.write(json ? asJson({ stack, execution, output }) : `wrote ${output}\n`);
  return EXIT.done;
}
