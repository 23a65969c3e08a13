import { randomUUID } from 'node:crypto';
import type { EventStream } from '../../capture/read/event-stream';
import { formatStoreUrl } from '../../core/capture/store-url';
import { LagHistory } from '../../core/replay/lag-history';
import { nameRequest } from '../../core/replay/replay-status';
import type { CompareSink } from '../../replay/compare-sink';
import type { Differing, OutcomeSink } from '../../replay/outcome-sink';
import type { ParkedRequest } from '../../replay/place/parked-place';
import type { Replay } from '../../replay/replay';
import type { Mark } from '../../replay/status/mark';
import { StatusLoop } from '../../replay/status/status-loop';
import { warn } from '../shared/operator-command';
import { openStatus } from './open-place';
import type { ReplayFlags } from './flags';

export interface StatusSources {
  readonly replay: Replay;
  readonly events: EventStream;
  readonly mark: Mark;
  readonly compare: CompareSink | undefined;
  readonly outcomes: OutcomeSink;
  readonly findLagMs: () => number;
  /** Called when another replay has the status now. */
  readonly lose: (error: Error) => void;
}

/** Begins to write the status that is asked for. @throws Error where it cannot be written */
export async function startStatus(flags: ReplayFlags, sources: StatusSources): Promise<StatusLoop | undefined> {
  if (!flags.status) return undefined;
  const { replay, mark, lose } = sources;
  const place = await openStatus(flags.status);
  const hasCaughtUp = (id: string) => replay.hasCaughtUp(id);
  const loop = new StatusLoop({ place, mark, hasCaughtUp, warn, lose, observe: openObserver(flags, sources) });
  await loop.start().catch((error: unknown) => {
    const { name, message } = error as Error;
    throw new Error(`'--status ${place.status.name}' must be readable and writable, got ${name}: ${message}`, {
      cause: error,
    });
  });
  return loop;
}

function openObserver(flags: ReplayFlags, { replay, events, compare, outcomes, findLagMs }: StatusSources) {
  const history = new LagHistory();
  const fixed = {
    ...{ run: randomUUID(), startedAt: new Date().toISOString() },
    ...{ from: formatStoreUrl(flags.from), to: flags.to.href },
    ...(flags.servedBy !== undefined && { servedBy: flags.servedBy }),
    ...(flags.fromTime !== undefined && { fromTime: new Date(flags.fromTime).toISOString() }),
  };
  return () => {
    const lagMs = Math.round(findLagMs());
    history.add(lagMs, Date.now());
    const { sent, parked, reordered, skippedWrites } = replay.counts;
    const { late, withdrawnLate, damaged, missing } = events.counts;
    const { firstParked, firstSkippedWrite, outageSinceMs, lastProblem } = replay;
    const { differing: differingWrites, first: differing } = outcomes;
    const oldest = replay.oldest;
    const outage = outageSinceMs !== undefined && {
      sinceMs: Date.now() - Math.round(performance.now() - outageSinceMs),
    };
    const verdict = compare?.comparison.report().verdict;
    return {
      ...fixed,
      ...{ sent, parked, reordered, withdrawnLate, late, lagMs, lags: history.lags },
      ...{ skippedWrites, differingWrites, damaged, missing },
      ...(oldest && { oldest: describe(oldest) }),
      ...(firstParked && { firstParked: { ...describe(firstParked.request), problem: firstParked.problem } }),
      ...(firstSkippedWrite && { firstSkippedWrite: describe(firstSkippedWrite) }),
      ...(differing && { firstDifferingWrite: describeDiffering(differing) }),
      ...(outage && { outage: { ...outage, problem: lastProblem ?? 'unknown' } }),
      ...(verdict !== undefined && { verdict }),
    };
  };
}

function describe({ id, message }: ParkedRequest['request']) {
  return nameRequest(id, message.startLine, message.firstByteMs);
}

function describeDiffering({ replayed: { id, request }, recorded, got }: Differing) {
  return { ...nameRequest(id, request.startLine, request.firstByteMs), recorded, got };
}
