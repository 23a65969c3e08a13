import { Command } from 'commander';
import type { Evidence } from '../../core/cutover/evidence';
import { htmlPage } from '../../rehearsal/page/page';
import { WrongUse, operatorCommand, runOperator } from '../shared/operator-command';
import { connectCutover } from './connect';
import { EvidenceFlags, findEvidence, withOutput, writeOut } from './evidence';

/** Adds `report`. */
export function addReportCommand(cli: Command, done: (exitCode: number) => void): void {
  const description = 'write the report of a cutover that has ended (HTML), made of its evidence';
  withOutput(operatorCommand(cli.command('report'), description)).action(async (flags: EvidenceFlags) =>
    done(await runOperator(() => writeReport(flags))),
  );
}

async function writeReport(flags: EvidenceFlags): Promise<number> {
  if (flags.json && flags.output === undefined) {
    throw new WrongUse("'--output' must be given with '--json', because the report is HTML, got none");
  }
  const { ports } = await connectCutover(flags);
  const { execution, text, problem } = await findEvidence(ports, flags);
  if (problem !== undefined) throw new Error(problem);
  return writeOut(htmlPage(JSON.parse(text) as Evidence), execution, flags);
}
