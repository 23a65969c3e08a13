import { findServedSide } from '../../core/switch/regime';
import type { SwitchRecord } from '../../core/switch/switch-record';
import {
  MAX_SINGLE_MEMBERS,
  Sighting,
  SwitchEvent,
  SwitchTrace,
  formatTasks,
  parseTasks,
} from '../../core/switch/switch-trace';
import type { Side } from '../../core/traffic/weights';

/**
 * `serving`: forwards to `side`. `busy`: holds, and has requests in flight. `empty`: holds, and has none. `deciding`: its lease has
 * expired, and it waits for the decision. `notHolding`: it should hold, and does not.
 */
export type PhaseName = 'serving' | 'busy' | 'empty' | 'deciding' | 'notHolding' | 'silent' | 'stopped';

/** Times are milliseconds from the first call to hold. */
export interface Phase {
  readonly name: PhaseName;
  /** Of `serving`. */
  readonly side?: Side;
  /** Of `busy`: of all of the tasks that were found alike. */
  readonly inFlight?: { readonly count: number; readonly tasks: number };
  /** It was found in this phase at this time at the earliest; the first phase has begun before everything else. */
  readonly fromMs: number;
  /** … and at this one at the latest: tasks that were found alike are one event of the trace. */
  readonly untilMs: number;
}

/** A task, or several of one side that went through the same phases at the same times. */
export interface TaskRow {
  readonly home: Side;
  /** `source 1–2`, by their places among the tasks of their side. */
  readonly label: string;
  /** As ECS names the first of them; undefined where the trace has no room for it. */
  readonly id: string | undefined;
  readonly phases: readonly Phase[];
}

/** A record with all that a timeline needs. */
export type TracedSwitch = SwitchRecord & { readonly heldAt: string; readonly trace: SwitchTrace };

/** @returns false of an attempt that ended before anything was held, and of one whose trace had no room */
export function isTraced(record: SwitchRecord): record is TracedSwitch {
  return record.heldAt !== undefined && record.trace !== undefined;
}

/**
 * What the trace of a switch says of each task.
 *
 * @throws Error where it is not as a switch writes it
 */
export function findTaskRows({ before, members, names, events }: SwitchTrace): TaskRow[] {
  const count = members.source + members.target;
  const findHome = (task: number): Side => (task < members.source ? 'source' : 'target');
  const phases = Array.from({ length: count }, (_, task): Phase[] => {
    const side = findServedSide(findHome(task), { epoch: 0, ...before });
    return [{ name: 'serving', side, fromMs: Number.NEGATIVE_INFINITY, untilMs: Number.NEGATIVE_INFINITY }];
  });
  for (const event of events) {
    if (event.kind !== 'task' && event.kind !== 'released') continue;
    const tasks = parseTasks(event.tasks, count);
    for (const task of tasks) addPhase(phases[task]!, event, tasks.length);
  }
  const alike = new Map<string, number[]>();
  phases.forEach((each, task) => {
    const key = count > MAX_SINGLE_MEMBERS ? `${findHome(task)} ${JSON.stringify(each)}` : `${task}`;
    alike.set(key, [...(alike.get(key) ?? []), task]);
  });
  return [...alike.values()].map((tasks): TaskRow => {
    const [first = 0] = tasks;
    const home = findHome(first);
    const offset = home === 'source' ? -1 : members.source - 1;
    const places = formatTasks(tasks.map((task) => task - offset)).replaceAll('-', '–');
    return { home, label: `${home} ${places}`, id: names[first]?.split(' ')[0], phases: phases[first]! };
  });
}

function addPhase(phases: Phase[], event: Extract<SwitchEvent, { tasks: string }>, tasks: number): void {
  const last = phases.at(-1)!;
  const found: Pick<Phase, 'name' | 'side' | 'inFlight'> =
    event.kind === 'released' ? { name: 'serving', side: event.to } : readPhase(event, last, tasks);
  if (found.name === last.name && found.side === last.side) return;
  phases.push({ ...found, fromMs: event.atMs, untilMs: event.untilMs ?? event.atMs });
}

function readPhase({ is, inFlight = 0, endedTo }: Sighting, last: Phase, tasks: number) {
  if (is === 'holding') {
    return inFlight > 0 ? { name: 'busy' as const, inFlight: { count: inFlight, tasks } } : { name: 'empty' as const };
  }
  if (is !== 'notHolding') return { name: is };
  if (endedTo !== undefined) return { name: 'serving' as const, side: endedTo };
  // Before the first call to hold a task that does not hold serves.
  return last.name === 'serving' ? last : { name: 'notHolding' as const };
}

/** `held at 4 ms with 3 in flight, nothing in flight at 90–96 ms, to the target at 108 ms` */
export function describePhases({ phases }: TaskRow): string {
  const said = phases.slice(1).map((phase, at) => {
    return `${describePhase(phase, phases[at]!)} at ${formatTime(phase)}${describeFlight(phase)}`;
  });
  return said.length === 0 ? 'nothing was found of it' : said.join(', ');
}

function describeFlight({ inFlight }: Phase): string {
  if (!inFlight) return '';
  const { count, tasks } = inFlight;
  return ` with ${count.toLocaleString('en-US')} in flight${tasks > 1 ? `, of ${tasks} tasks together` : ''}`;
}

function describePhase({ name, side }: Phase, before: Phase): string {
  const words: Readonly<Record<PhaseName, string>> = {
    serving: `to the ${side}`,
    busy: 'held',
    empty: before.name === 'busy' ? 'nothing in flight' : 'held with nothing in flight',
    deciding: 'lease expired',
    notHolding: 'not holding',
    silent: 'no response',
    stopped: 'stopped',
  };
  return words[name];
}

function formatTime({ fromMs, untilMs }: Phase): string {
  const from = fromMs.toLocaleString('en-US');
  return untilMs > fromMs ? `${from}–${formatMs(untilMs)}` : formatMs(fromMs);
}

export function formatMs(ms: number): string {
  return `${ms.toLocaleString('en-US')} ms`;
}
