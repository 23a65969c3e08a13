import type { SwitchRecord } from '../../core/switch/switch-record';
import { Pause, SeenResponse, Window, computePause } from '../writes/pause';
import { Committed, Handover, findHandovers } from '../writes/handover';
import { WritesTally, judgeWrites } from '../writes/judge-writes';
import { LoggedWrite, SentWrite, toTimeOfDay } from '../writes/write-log';

/** What clients and backends saw of the switches of a cutover. */
export interface SwitchSeen {
  readonly writes: WritesTally;
  /** What the clients waited because of all of its switches. */
  readonly pause: Pause;
  /** Of each switch that was committed: the last of the one side, and the first of the other. */
  readonly handovers: readonly Handover[];
}

interface Seen {
  readonly log: readonly LoggedWrite[];
  readonly sent: readonly SentWrite[];
  readonly responses: readonly SeenResponse[];
}

/** @param nowMs since the epoch: the log has times of another clock */
export function summarizeSwitch(
  { log, sent, responses }: Seen,
  switches: readonly SwitchRecord[],
  nowMs: number,
): SwitchSeen {
  const handovers = findHandovers({ responses, log: toTimeOfDay(log, nowMs) }, switches.flatMap(findCommitted));
  return { writes: judgeWrites(log, sent), pause: computePause(responses, switches.flatMap(findWindow)), handovers };
}

function findCommitted({ epoch, from, to, outcome, heldAt }: SwitchRecord): Committed[] {
  return outcome === 'commit' && heldAt !== undefined ? [{ epoch, from, to, heldMs: Date.parse(heldAt) }] : [];
}

/** From the first call to hold to the last release; none where nothing was held. */
export function findWindow({ heldAt, releasedMs, decidedMs = 0 }: SwitchRecord): Window[] {
  if (heldAt === undefined) return [];
  const fromMs = Date.parse(heldAt);
  return [{ fromMs, toMs: fromMs + (releasedMs ?? decidedMs) }];
}

/** What no switch may do, in words; empty where it did none of it. */
export function listSwitchFaults({ writes }: SwitchSeen): string[] {
  const { lost, doubled, overlaps, staleEpochs } = writes;
  const faults = [
    [overlaps, 'writes of one side overlap writes of the other'],
    [staleEpochs, 'writes served with an epoch that had ended'],
    [lost, 'writes lost'],
    [doubled, 'writes doubled'],
  ] as const;
  return faults.filter(([amount]) => amount > 0).map(([amount, what]) => `${amount.toLocaleString('en-US')} ${what}`);
}

/** The requests in flight are the application's: most of a long pause is theirs. */
function describeHold({ epoch, emptyMs, releasedMs }: SwitchRecord): string[] {
  if (emptyMs === undefined || releasedMs === undefined) return [];
  return [`epoch ${epoch} waited ${emptyMs} ms for requests in flight, and ${releasedMs - emptyMs} ms for the rest`];
}

/** Without the time of the first call to hold what clients waited because of a switch is unknown. */
function describePause({ p50Ms, p99Ms, maxMs }: Pause, switches: readonly SwitchRecord[]): string {
  const isUnknown = switches.some(({ isResumed, heldAt }) => isResumed && heldAt === undefined);
  if (isUnknown) return 'pause as clients saw it unknown: another call had begun to hold';
  return `pause p50 ${p50Ms} ms, p99 ${p99Ms} ms, max ${maxMs} ms as clients saw it`;
}

/** In one line. */
export function switchLine({ writes, pause }: SwitchSeen, switches: readonly SwitchRecord[]): string {
  const held = Math.max(0, ...switches.map(({ maxWaiting }) => maxWaiting));
  const { overlaps, lost, doubled, bySide } = writes;
  const attempts = switches.map(({ epoch, outcome }) => `epoch ${epoch} ${outcome}`).join(', ');
  return [
    attempts === '' ? 'never begun' : attempts,
    describePause(pause, switches),
    ...switches.flatMap(describeHold),
    switches.some(({ isResumed }) => isResumed)
      ? `${held.toLocaleString('en-US')} held or more`
      : `${held.toLocaleString('en-US')} held at most`,
    `${bySide.source.toLocaleString('en-US')} writes had responses of the source, ${bySide.target.toLocaleString('en-US')} of the target`,
    `overlap ${overlaps}, ${lost} lost, ${doubled} doubled`,
  ].join('; ');
}
