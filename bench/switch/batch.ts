// A setup, and one switch after the other in it, there and back, under writers that count for themselves.
import { parsePlan } from '../../core/plan/plan';
import type { SwitchPlan } from '../../core/plan/switch-plan';
import type { SwitchRecord } from '../../core/switch/switch-record';
import { verifyTrace } from '../../core/switch/verify-trace';
import { judgeWrites } from '../../rehearsal/writes/judge-writes';
import type { LoggedWrite } from '../../rehearsal/writes/write-log';
import type { Workplace } from '../processes/workplace';
import { Attempt, type AttemptResult, type Harm } from './attempt';
import type { ClientRecord, FailedWrite } from './messages';
import { formatRow, type Row } from './parts';
import { SwitchSetup } from './setup';

const WRITERS = 8;
/** Writes before, between and after switches. */
const WRITES_BETWEEN = 60;

/** Shorter than usual: an attempt that cannot end is given up soon, and a killed task is accounted for before the next one. */
const PLAN: SwitchPlan = parsePlan({
  strategy: 'drainThenShift',
  switch: { pointOfNoReturn: 'shared', maxPauseMs: 1_500, longestRequestSeconds: 1 },
}).switch!;

export interface SwitchResult {
  readonly index: number;
  readonly row: string;
  readonly from: string;
  readonly epoch: number;
  readonly outcome: string;
  readonly why?: string;
  readonly by: string;
  readonly wasMet: boolean;
  readonly coordinators: number;
  /** Of a commit: from the end of the last write of the side that was left to the beginning of the first of the other one. */
  readonly marginMs?: number;
  /** What is wrong with it; none when it was as it must be. */
  readonly wrong: readonly string[];
}

interface Made {
  readonly index: number;
  readonly row: Row;
  readonly result: AttemptResult;
  readonly endedMs: number;
}

/** @param rows by their index */
export async function runBatch(place: Workplace, rows: readonly (readonly [number, Row])[]): Promise<SwitchResult[]> {
  const setup = await SwitchSetup.start(place);
  try {
    setup.startClients({ name: `b${rows[0]?.[0] ?? 0}`, writers: WRITERS });
    const made: Made[] = [];
    for (const [index, row] of rows) {
      await written(setup);
      const result = await new Attempt(setup, row, PLAN, `switch-${index}`).run();
      made.push({ index, row, result, endedMs: Date.now() });
    }
    await written(setup);
    const record = await setup.stopClients();
    return judge(made, record, await setup.readLog());
  } finally {
    await setup.stop();
  }
}

async function written(setup: SwitchSetup): Promise<void> {
  const from = setup.done;
  while (setup.done < from + WRITES_BETWEEN) await new Promise((resolve) => setTimeout(resolve, 10));
}

/** What is of no switch alone is of the last one. */
function judge(made: readonly Made[], record: ClientRecord, log: readonly LoggedWrite[]): SwitchResult[] {
  const { faults, lost, doubled, overlaps, staleEpochs } = judgeWrites(log, record.sent);
  const harms = made.flatMap(({ result }) => result.harms);
  const beyond = record.failed.filter((failed) => !harms.some((harm) => explains(harm, failed)));
  return made.map((each, at) => {
    const isLast = at === made.length - 1;
    const total = lost + doubled + overlaps + staleEpochs;
    const ofAll = isLast && total > 0 ? [`of the whole batch ${total}: ${faults.slice(0, 3).join('; ')}`] : [];
    const fromMs = made[at - 1]?.endedMs ?? 0;
    const failed = beyond.filter(({ atMs }) => atMs > fromMs && (isLast || atMs <= each.endedMs));
    const errors = failed.length > 0 ? [`${failed.length} writes failed: ${failed[0]?.problem}`] : [];
    return summarize(each, log, [...errors, ...ofAll]);
  });
}

/** A connection that the fault has cut is found out a moment later. */
const MOMENT_MS = 1_000;

function explains({ task, fromMs, untilMs }: Harm, failed: FailedWrite): boolean {
  if (task !== undefined && task !== failed.task) return false;
  return failed.atMs >= fromMs && failed.atMs <= untilMs + MOMENT_MS;
}

function summarize({ index, row, result }: Made, log: readonly LoggedWrite[], more: readonly string[]): SwitchResult {
  const { from, to, epoch, isCommit, record, wasMet, coordinators, isStuck } = result;
  const before = log.filter((write) => write.side === from && (write.epoch ?? 0) < epoch);
  const after = log.filter((write) => write.side === to && (write.epoch ?? 0) >= epoch);
  const marginMs = Math.min(...after.map(({ beganMs }) => beganMs)) - Math.max(...before.map(({ endedMs }) => endedMs));
  const isMeasured = isCommit && Number.isFinite(marginMs);
  const wrong = [
    ...(isStuck ? ['it must end decided, got a switch that is under way'] : []),
    ...(isMeasured && marginMs < 0
      ? [`the other side must begin after the end, got ${(-marginMs).toFixed(3)} ms before`]
      : []),
    ...(record ? findTraceFaults(record) : []),
    ...more,
  ];
  return {
    ...{ index, row: formatRow(row), from, epoch, wasMet, coordinators, wrong },
    outcome: isStuck ? 'undecided' : isCommit ? 'commit' : 'abort',
    ...(!isCommit && record?.why !== undefined && { why: record.why }),
    by: record?.by ?? 'unknown',
    ...(isMeasured && { marginMs: Number(marginMs.toFixed(3)) }),
  };
}

function findTraceFaults({ trace, ...record }: SwitchRecord): string[] {
  if (!trace) return ['its record must have a trace'];
  const { fault } = verifyTrace({ ...record, trace });
  return fault ? [`its trace must be one of the model's, got event ${fault.event} (${fault.what}): ${fault.rule}`] : [];
}
