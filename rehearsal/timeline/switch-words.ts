import type { SwitchRecord } from '../../core/switch/switch-record';
import type { Handover } from '../writes/handover';
import { TracedSwitch, describePhases, findTaskRows, formatMs } from './task-phases';

/** `Switch of epoch 2, source to target: commit` */
export function titleSwitch({ epoch, from, to, outcome }: SwitchRecord): string {
  return `Switch of epoch ${epoch}, ${from} to ${to}: ${outcome}`;
}

/** The same with its times, in one line. */
export function describeOutcome(record: SwitchRecord): string {
  const { heldAt, decidedMs, releasedMs, why } = record;
  const times = [
    ...(decidedMs === undefined ? [] : [`decided ${formatMs(decidedMs)} after the first call to hold`]),
    ...(releasedMs === undefined ? [] : [`released after ${formatMs(releasedMs)}`]),
    ...(heldAt === undefined ? [describeUnheld(record)] : []),
    ...(why === undefined ? [] : [`because ${why}`]),
  ];
  return [titleSwitch(record), ...times].join(', ');
}

/** Of one without a first call to hold. What was before a call died is unknown, and not nothing. */
export function describeUnheld({ isResumed }: SwitchRecord): string {
  return isResumed ? 'what waited before its last call began is unknown' : 'no request waited';
}

/** All that its chart shows, for a person who cannot see it. Times are from the first call to hold. */
export function describeSwitch(
  record: TracedSwitch,
  handover: Handover | undefined,
): { readonly title: string; readonly sentences: readonly string[] } {
  const { decidedMs, releasedMs, outcome, why } = record;
  const decided = decidedMs === undefined ? [] : [`Decision: ${outcome} at ${formatMs(decidedMs)}${because(why)}.`];
  const released = releasedMs === undefined ? [] : [`All tasks were released by ${formatMs(releasedMs)}.`];
  return {
    title: titleSwitch(record),
    sentences: [
      'Times are from the first call to hold.',
      ...findTaskRows(record.trace).map((row) => `${capital(row.label)}: ${describePhases(row)}.`),
      ...decided,
      ...released,
      ...describeHandover(record, handover),
    ],
  };
}

/** Where the sides meet: by the logs of the backends, and as clients saw it. */
export function describeHandover({ from, to }: SwitchRecord, handover: Handover | undefined): string[] {
  const { lastWriteMs, firstWriteMs, lastResponseMs, firstResponseMs } = handover ?? {};
  const said: string[] = [];
  if (lastWriteMs !== undefined && firstWriteMs !== undefined) {
    const apart = formatMs(Number((firstWriteMs - lastWriteMs).toFixed(1)));
    said.push(
      `The last write of the ${from} ended at ${formatMs(lastWriteMs)}, the first of the ${to} began at ${formatMs(firstWriteMs)}: ${apart} apart.`,
    );
  }
  if (lastResponseMs !== undefined)
    said.push(`Clients got the last response of the ${from} at ${formatMs(lastResponseMs)}.`);
  if (firstResponseMs !== undefined) said.push(`They got the first of the ${to} at ${formatMs(firstResponseMs)}.`);
  return said;
}

function because(why: string | undefined): string {
  return why === undefined ? '' : `, because ${why}`;
}

export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
