import { Command, InvalidArgumentError } from 'commander';
import { PastCutover, describeEvidence, describeExecution } from '../../core/cutover/history';
import { readPastEvidence } from '../../core/cutover/read-evidence';
import { formatSeconds } from '../../core/plan/explain';
import { oneLine } from '../../core/text/one-line';
import { EvidenceUnreadable } from '../../core/validation/shapes';
import { parseEvidenceText } from '../shared/evidence-file';
import { readDecimal } from '../shared/numbers';
import { EXIT, OperatorFlags, asJson, operatorCommand, runOperator } from '../shared/operator-command';
import { Connected, connectCutover } from './connect';

interface HistoryFlags extends OperatorFlags {
  readonly max: number;
}

const MAX = 100;

/** Adds `history`. */
export function addHistoryCommand(cli: Command, done: (exitCode: number) => void): void {
  operatorCommand(cli.command('history'), 'list past cutovers, the newest first: outcome, duration, who started them')
    .option('--max <number>', `how many, up to ${MAX}`, maxFrom, 10)
    .action(async (flags: HistoryFlags) => done(await runOperator(() => printHistory(flags))));
}

function maxFrom(text: string): number {
  const value = readDecimal(text);
  if (value !== undefined && Number.isInteger(value) && value >= 1 && value <= MAX) return value;
  throw new InvalidArgumentError(`must be an integer from 1 to ${MAX}, got '${text}'`);
}

async function printHistory(flags: HistoryFlags): Promise<number> {
  const { ports } = await connectCutover(flags);
  const cutovers = await readHistory(ports, flags.max);
  if (flags.json) process.stdout.write(asJson({ stack: flags.stack, cutovers }));
  else process.stdout.write(`${formatTable(cutovers).join('\n')}\n`);
  return EXIT.done;
}

interface Known {
  readonly execution: string;
  readonly atMs: number;
}

/** Step Functions forgets an execution 90 days after its end, the store never: each knows some that the other does not. */
async function readHistory({ executions, store }: Connected['ports'], max: number): Promise<PastCutover[]> {
  const [written, listed] = await Promise.all([store.listEvidence(), executions.list(max)]);
  const newest = new Map<string, Known>();
  for (const { execution, writtenAtMs } of written.slice(0, max))
    newest.set(execution, { execution, atMs: writtenAtMs });
  // By their end, which both know: the evidence is written then.
  for (const { name, endedAtMs = Infinity } of listed) newest.set(name, { execution: name, atMs: endedAtMs });
  const chosen = [...newest.values()].sort((a, b) => b.atMs - a.atMs).slice(0, max);
  const withEvidence = new Set(written.map(({ execution }) => execution));
  const read: PastCutover[] = [];
  for (const { execution } of chosen) {
    const text = withEvidence.has(execution) ? await store.readEvidence(execution) : undefined;
    const past = text === undefined ? undefined : describeText(text);
    if (past && !('problem' in past)) {
      read.push(past);
      continue;
    }
    const look = await executions.look(execution);
    const known = look ? describeExecution(execution, look, Date.now()) : { execution, outcome: 'unknown' as const };
    read.push(past ? { ...known, because: past.problem } : known);
  }
  return read;
}

/** What is damaged says nothing, and is no reason to say nothing of the others. */
function describeText(text: string): PastCutover | { readonly problem: string } {
  try {
    return describeEvidence(readPastEvidence(parseEvidenceText(text, 'it')));
  } catch (error) {
    if (!(error instanceof EvidenceUnreadable)) throw error;
    return { problem: `its evidence is damaged: ${error.message.split('\n')[0]}` };
  }
}

const HEAD = ['STARTED (UTC)', 'CUTOVER', 'OUTCOME', 'TOOK', 'STARTED BY', 'BECAUSE'] as const;
/** The last column is as long as it is. */
const MAX_BECAUSE = 160;

function formatTable(cutovers: readonly PastCutover[]): string[] {
  if (cutovers.length === 0) return ['no cutover has run yet'];
  const rows = [HEAD, ...cutovers.map(formatRow)];
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    row
      .map((text, column) => text.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  );
}

function formatRow({ execution, startedAt, outcome, durationSeconds, startedBy, because }: PastCutover): string[] {
  return [
    startedAt === undefined ? 'unknown' : `${startedAt.slice(0, 19).replace('T', ' ')}`,
    oneLine(execution),
    outcome,
    durationSeconds === undefined ? 'unknown' : formatSeconds(durationSeconds),
    oneLine(startedBy ?? 'unknown'),
    oneLine(because ?? '', MAX_BECAUSE),
  ];
}
