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
  const { execution, text } = await findEvidence(ports, flags);
  return writeOut(draw(parseEvidence(text, execution), execution), execution, flags);
}

/** @throws Error where parts are missing that the page needs */
function draw(evidence: Evidence, execution: string): string {
  try {
    return htmlPage(evidence);
  } catch (error) {
    const got = error instanceof Error ? error.message : String(error);
    throw new Error(`the evidence of '${execution}' must be whole, got one without what the page needs: ${got}`, {
      cause: error,
    });
  }
}

/** @throws Error for what is no evidence */
function parseEvidence(text: string, execution: string): Evidence {
  const rule = `the evidence of '${execution}' must be of drainshift/evidence/1`;
  try {
    const value = JSON.parse(text) as Evidence | null;
    if (value?.schema === 'drainshift/evidence/1') return value;
  } catch (error) {
    throw new Error(`${rule}, got what is no JSON`, { cause: error });
  }
  throw new Error(`${rule}, got something else`);
}
