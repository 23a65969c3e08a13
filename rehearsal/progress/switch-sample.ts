import type { SwitchSample, TaskSample } from './samples';

export function describeSwitchSample({ epoch, to, outcome }: SwitchSample): string {
  return `switch of epoch ${epoch} to the ${to}: ${outcome ?? 'undecided'}`;
}

/** `held, 12 in flight, 30 waiting` */
export function describeTask({ report }: TaskSample): string {
  if (!report) return 'does not respond';
  const { hold, inFlight, waiting, upstream } = report;
  if (hold === 'none') return `forwards to the ${upstream}, ${inFlight} in flight`;
  const state = hold === 'holding' ? 'held' : 'held, asks for the decision';
  return `${state}, ${inFlight} in flight, ${waiting} waiting`;
}

/** What has changed when this has: not a figure alone, but whether something is in flight. */
export function listStates({ outcome, tasks }: SwitchSample): string {
  const states = tasks.map(({ report }) => report && [report.hold, report.upstream, report.inFlight > 0]);
  return JSON.stringify([outcome, states]);
}
