import { SIDES, Side } from '../traffic/weights';
import type { MemberView } from './coordinator';
import type { Member, Regime } from './regime';
import { MAX_SINGLE_MEMBERS, Sighting, SwitchEvent, SwitchTrace, formatTasks } from './switch-trace';

/** Of the members whose names are in a trace. */
const MAX_NAMES = 40;
/** Of the events about tasks. A task that comes and goes would make a trace of any length. */
const MAX_TASK_EVENTS = 100;

type WithoutTime<T> = T extends unknown ? Omit<T, 'atMs'> : never;
/** What the coordinator does itself. */
type OwnEvent = WithoutTime<Exclude<SwitchEvent, { tasks: string }>>;
type TaskEvent = { readonly kind: 'task' } & Sighting;
type TaskResult = TaskEvent | { readonly kind: 'released'; readonly to: Side };

const EMPTY: TaskEvent = { kind: 'task', is: 'holding', inFlight: 0, abandoned: 0 };

/** Events of the same kind and with the same findings, of any number of tasks. */
interface Group {
  readonly event: TaskResult;
  readonly key: string;
  readonly atMs: number;
  untilMs: number;
  readonly tasks: Set<number>;
  inFlight: number;
  abandoned: number;
}

/**
 * Collects the trace of a switch. Of many members the findings of different tasks change places, between two events of the
 * coordinator, where that makes it shorter: what one task does says nothing of another. Those of one task stay in their order.
 */
export class TraceRecorder {
  private readonly entries: ({ readonly atMs: number; readonly own: OwnEvent } | Group)[] = [];
  /** From here on groups may take in more: no event of the coordinator came after. */
  private openFrom = 0;
  private taskEvents = 0;
  private leftOut = 0;
  private numbers: ReadonlyMap<string, number> = new Map();
  private members: Record<Side, number> = { source: 0, target: 0 };
  private names: readonly string[] = [];
  /** Of each task: what was found last, and where in `entries` that is. */
  private last = new Map<number, { readonly key: string; readonly at: number }>();

  /** @param nowMs of the start of the switch */
  constructor(
    private readonly regime: Regime,
    private readonly startMs: number,
  ) {}

  enlist(members: readonly Member[], nowMs: number, isRead: boolean): void {
    const ordered = SIDES.flatMap((side) => members.filter(({ home }) => home === side));
    this.numbers = new Map(ordered.map(({ id }, at) => [id, at]));
    for (const side of SIDES) this.members[side] = members.filter(({ home }) => home === side).length;
    this.names = ordered.slice(0, MAX_NAMES).map(({ id, instance }) => `${id} ${instance}`.trim());
    this.last.clear();
    this.note({ kind: 'enlist', ...(isRead && { isRead }) }, nowMs);
  }

  note(own: OwnEvent, nowMs: number): void {
    this.entries.push({ atMs: nowMs, own });
    this.openFrom = this.entries.length;
    // What each is like after it is said also where it is as before.
    if (own.kind === 'decision') this.last.clear();
  }

  /** @param isKept also where the trace is long: what the decision rests on */
  see(id: string, view: MemberView, epoch: number, found: { upstream?: Side; nowMs: number; isKept?: boolean }): void {
    const { upstream, nowMs, isKept = false } = found;
    // It may be among the looks that are left out.
    if (isKept && this.leftOut > 0 && view.wasEmpty) this.put(id, EMPTY, nowMs, isKept);
    this.put(id, { kind: 'task', ...describeSighting(view, epoch, upstream) }, nowMs, isKept);
  }

  released(id: string, to: Side, nowMs: number): void {
    this.put(id, { kind: 'released', to }, nowMs, true);
  }

  /** @param originMs the time that is 0 in it; the start of the switch, where it is absent */
  build(originMs = this.startMs): SwitchTrace {
    const { members, names, leftOut } = this;
    const { committed, side, isJoined } = this.regime;
    const since = (ms: number) => Math.round(ms - originMs);
    const events = this.entries.map((entry): SwitchEvent => {
      const atMs = since(entry.atMs);
      return 'own' in entry ? { atMs, ...entry.own } : formatGroup(entry, atMs, since(entry.untilMs));
    });
    const before = { committed, side, isJoined };
    return { before, members: { ...members }, names, events, ...(leftOut > 0 && { leftOut }) };
  }

  private put(id: string, event: TaskResult, nowMs: number, isKept: boolean): void {
    const task = this.numbers.get(id);
    if (task === undefined) return;
    const key = JSON.stringify({
      ...event,
      ...('inFlight' in event && { inFlight: Math.min(1, event.inFlight ?? 0) }),
    });
    const last = this.last.get(task);
    if (last?.key === key) return;
    const from = Math.max(this.openFrom, (last?.at ?? -1) + 1);
    const mayShare = this.numbers.size > MAX_SINGLE_MEMBERS;
    let at = mayShare ? this.entries.findIndex((e, place) => place >= from && 'key' in e && e.key === key) : -1;
    if (at < 0) {
      if (!isKept && this.taskEvents >= MAX_TASK_EVENTS) return void (this.leftOut += 1);
      this.taskEvents += 1;
      const group = { event, key, atMs: nowMs, untilMs: nowMs, tasks: new Set<number>(), inFlight: 0, abandoned: 0 };
      at = this.entries.push(group) - 1;
    }
    addTo(this.entries[at] as Group, task, event, nowMs);
    this.last.set(task, { key, at });
  }
}

function addTo(group: Group, task: number, event: TaskResult, nowMs: number): void {
  group.tasks.add(task);
  group.untilMs = nowMs;
  if (event.kind !== 'task') return;
  group.inFlight += event.inFlight ?? 0;
  group.abandoned += event.abandoned ?? 0;
}

function formatGroup({ event, tasks, inFlight, abandoned }: Group, atMs: number, untilMs: number): SwitchEvent {
  const { kind, ...found } = event;
  const figures = 'inFlight' in event && { inFlight, abandoned };
  const until = untilMs > atMs && { untilMs };
  return { atMs, ...until, kind, tasks: formatTasks(tasks), ...found, ...figures } as SwitchEvent;
}

function describeSighting(view: MemberView, epoch: number, upstream: Side | undefined): Sighting {
  const { life, instance, report, hasOutlastedRequests } = view;
  const outlasted = hasOutlastedRequests ? ({ hasOutlasted: true } as const) : {};
  if (life === 'stopped') return { is: 'stopped', ...outlasted };
  if (!report) return { is: 'silent' };
  const { hold, inFlight, abandoned, hasLost } = report;
  const flags = {
    ...(report.instance !== instance && { isRestarted: true as const, ...outlasted }),
    ...(hasLost && { hasLost: true as const }),
  };
  if (hold.state === 'holding' && hold.epoch === epoch && hold.isOfSwitch) {
    return { is: 'holding', inFlight, abandoned: Math.min(1, abandoned), ...flags };
  }
  if (hold.state === 'deciding' && hold.epoch === epoch) return { is: 'deciding', ...flags };
  if (hold.epoch > epoch) return { is: 'notHolding', isLater: true, ...flags };
  const hasEnded = hold.state === 'none' && hold.epoch === epoch && upstream !== undefined;
  return { is: 'notHolding', ...(hasEnded && { endedTo: upstream }), ...flags };
}
