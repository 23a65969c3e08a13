import { writeFileSync } from 'node:fs';
import { Command } from 'commander';
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
  const { execution, text } = await findEvidence(ports, flags);
  return writeOut(text.endsWith('\n') ? text : `${text}\n`, execution, flags);
}

/** @throws Error where there is none */
export async function findEvidence(
  { store }: Connected['ports'],
  { execution: given, stack }: EvidenceFlags,
): Promise<{ readonly execution: string; readonly text: string }> {
  const execution = given ?? (await store.listEvidence())[0]?.execution;
  if (execution === undefined) throw new Error(`'${stack}' must have evidence of a cutover, got none yet`);
  const text = await store.readEvidence(execution);
  if (text !== undefined) return { execution, text };
  throw new Error(`'${execution}' must have left evidence, got none: it has not ended, or never got its lock`);
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
