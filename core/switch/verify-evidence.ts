import { oneLine } from '../text/one-line';
import { SIDES, Side } from '../traffic/weights';
import { Problems } from '../validation/problems';
import {
  COUNT,
  Check,
  EVIDENCE_SCHEMA,
  EvidenceUnreadable,
  FLAG,
  INTEGER,
  Fields,
  TEXT,
  asObject,
  isOneOf,
  optional,
  readObject,
  showShort as shorten,
  throwUnreadable,
} from '../validation/shapes';
import type { SwitchRecord } from './switch-record';
import { SIGHTINGS, SwitchEvent, SwitchEventKind, SwitchTrace } from './switch-trace';
import { TraceVerdict, verifyTrace } from './verify-trace';

/** The switch of one epoch, and whether its trace is a behaviour of the model. */
export interface VerifiedSwitch extends TraceVerdict {
  readonly epoch: number;
  readonly from: string;
  readonly to: string;
  readonly outcome: string;
}

export interface EvidenceVerdict {
  readonly switches: readonly VerifiedSwitch[];
  /** Why the evidence is rejected, one line each; empty where it is verified. */
  readonly faults: readonly string[];
}

/** What is read of an evidence file. A file of a rehearsal has more. */
interface Given {
  readonly switches: readonly SwitchRecord[];
  readonly timeline: readonly Fields[];
  /** Of a cutover that completed: the side that it was to go to. */
  readonly completedTo?: Side;
  readonly fence?: unknown;
  readonly isDryRun: boolean;
  readonly writes?: Fields;
}

/**
 * Verifies every switch in the evidence of a cutover, and what joins them: the regime that one leaves is the one that the next
 * finds. The logs of both sides, where a rehearsal has compared them, must not overlap.
 *
 * @param value the evidence as JSON
 * @throws EvidenceUnreadable when it is no evidence, or has no switch in it
 */
export function verifyEvidence(value: unknown): EvidenceVerdict {
  const given = readEvidence(value);
  const switches = given.switches.map((record): VerifiedSwitch => {
    const { epoch, from, to, outcome, trace } = record;
    const verdict = trace ? verifyTrace({ ...record, trace }) : WITHOUT_TRACE;
    return { epoch, from, to, outcome, ...verdict };
  });
  const faults = [
    ...switches.flatMap(({ epoch, fault }) =>
      fault ? [`epoch ${epoch}, event ${fault.event} (${fault.what}): ${fault.rule}`] : [],
    ),
    ...given.switches.flatMap((record, at) => checkRecord(record, given.switches[at - 1], given)),
    ...checkTimeline(given),
    ...checkEnd(given),
    ...checkWrites(given.writes),
  ];
  return { switches, faults };
}

const WITHOUT_TRACE: TraceVerdict = {
  events: 0,
  notes: [],
  fault: {
    event: 1,
    what: 'no trace',
    rule: 'a switch is verified by its trace, which the state of its cutover had no room for',
  },
};

function checkRecord(record: SwitchRecord, last: SwitchRecord | undefined, given: Given): string[] {
  const { epoch, outcome, fence } = record;
  const { isDryRun, timeline } = given;
  const wrong: string[] = [];
  const must = (holds: boolean, rule: string) => {
    if (!holds) wrong.push(`epoch ${epoch}: ${rule}`);
  };
  must(!isDryRun || outcome === 'abort', `a dry run commits nothing, got a ${outcome}`);
  const planned = given.fence;
  must(
    planned === undefined || fence === planned || fence === 'frozen',
    `the fence must be that of the plan (${String(planned)}), got ${fence}`,
  );
  for (const entry of timeline) {
    const detail = asObject(entry['detail']);
    const isOther = entry['state'] === 'Switch' && detail?.['epoch'] === epoch && detail['outcome'] !== outcome;
    must(!isOther, `the timeline must say ${outcome}, as the record does, got ${shorten(detail?.['outcome'])}`);
  }
  const broken = last && findBreak(last, record);
  must(broken === undefined, broken ?? '');
  return wrong;
}

/** A switch has its record and its entry in the timeline, or neither: they are written together. The oldest records are left out. */
function checkTimeline({ switches, timeline }: Given): string[] {
  const entries = timeline
    .filter(({ state }) => state === 'Switch')
    .map(({ detail }) => asObject(detail))
    .filter((detail) => detail !== undefined);
  const oldest = Math.min(...switches.map(({ epoch }) => epoch));
  // Of another cutover, or of a call that was killed before it could leave a record.
  const isOwn = ({ to, leftBy, epoch }: Fields) => to !== undefined && leftBy === undefined && Number(epoch) >= oldest;
  const listed = new Set(entries.map((entry) => entry['epoch']));
  const recorded = new Set<unknown>(switches.map(({ epoch }) => epoch));
  const unlisted = timeline.length === 0 ? [] : switches.filter(({ epoch }) => !listed.has(epoch));
  const unrecorded = entries.filter((entry) => isOwn(entry) && !recorded.has(entry['epoch']));
  return [
    ...unlisted.map(({ epoch }) => `epoch ${epoch}: the timeline must have it`),
    ...unrecorded.map(({ epoch }) => `epoch ${shorten(epoch)}: it must have a record, as the timeline has it`),
  ];
}

/** What completed has switched, and the last switch went where the cutover was to go. */
function checkEnd({ switches, timeline, completedTo }: Given): string[] {
  const last = switches.at(-1);
  if (!completedTo || !last || (last.outcome === 'commit' && last.to === completedTo)) return [];
  // A call that was killed behind the commit has left its entry alone.
  const isLater = ({ state, detail }: Fields) => state === 'Switch' && Number(asObject(detail)?.['epoch']) > last.epoch;
  if (timeline.some(isLater)) return [];
  return [
    `epoch ${last.epoch}: what completed has a commit to the ${completedTo}, got a ${last.outcome} to the ${last.to}`,
  ];
}

/** Between two switches of a cutover there may be one that left no record, when the call that made it was killed. */
function findBreak(last: SwitchRecord, next: SwitchRecord): string | undefined {
  if (next.epoch === last.epoch) return findTwin(last, next);
  if (next.epoch < last.epoch)
    return `its epoch must be over that of the switch before it (${last.epoch}), got ${next.epoch}`;
  const before = next.trace?.before;
  const left = last.trace?.events.findLast((event) => event.kind === 'settle');
  if (!before || !left) return undefined;
  const hasUnknown = before.committed > last.epoch && before.committed < next.epoch;
  const isSame = before.committed === left.committed && before.side === left.side;
  if (hasUnknown || isSame) return undefined;
  const describe = ({ side, committed }: { side: string; committed: number }) => `${side}, committed ${committed}`;
  return `it must find the regime that epoch ${last.epoch} left (${describe(left)}), got ${describe(before)}`;
}

/** A call of the step may go on with what another has begun, and each has a record then. */
function findTwin(last: SwitchRecord, next: SwitchRecord): string | undefined {
  if (next.outcome !== last.outcome) return 'a switch has one outcome, got two';
  const begins = (record: SwitchRecord) => record.trace?.events.some(({ kind }) => kind === 'begin') === true;
  return begins(last) && begins(next) ? 'an epoch begins once, got two records that begin it' : undefined;
}

/** Counts that are 0 when no write of a side overlapped one of the other, and none was lost or doubled. */
const WRITE_COUNTS = ['overlaps', 'staleEpochs', 'lost', 'doubled'];

function checkWrites(writes: Given['writes']): string[] {
  if (!writes) return [];
  const { faults } = writes;
  const [first] = Array.isArray(faults) ? (faults as unknown[]) : [];
  const because = typeof first === 'string' ? `: ${oneLine(first)}` : '';
  return WRITE_COUNTS.flatMap((name) =>
    writes[name] === 0 ? [] : [`the logs of both sides: '${name}' must be 0, got ${shorten(writes[name])}${because}`],
  );
}

function readEvidence(value: unknown): Given {
  const evidence = asObject(value);
  if (!evidence) throw new EvidenceUnreadable(`evidence must be a JSON object, got ${shorten(value)}`);
  const { schema, switches, plan, switchSeen, timeline } = evidence;
  if (schema !== EVIDENCE_SCHEMA)
    throw new EvidenceUnreadable(`'schema' must be '${EVIDENCE_SCHEMA}', got ${shorten(schema)}`);
  if (switches === undefined || (Array.isArray(switches) && switches.length === 0)) {
    throw new EvidenceUnreadable('there is no switch in it');
  }
  const problems = new Problems(shorten);
  if (!Array.isArray(switches)) problems.add('switches', 'a list', switches);
  else switches.forEach((record: unknown, at) => readRecord(`switches[${at}]`, record, problems));
  throwUnreadable(problems);
  const planned = asObject(asObject(plan)?.['switch']);
  const writes = asObject(asObject(switchSeen)?.['writes']);
  return {
    switches: switches as readonly SwitchRecord[],
    timeline: Array.isArray(timeline) ? timeline.map(asObject).filter((entry) => entry !== undefined) : [],
    isDryRun: planned?.['dryRun'] === true,
    ...findCompletedTo(evidence),
    ...(planned && { fence: planned['fence'] }),
    ...(switchSeen !== undefined && { writes: writes ?? {} }),
  };
}

function findCompletedTo({ outcome, plan }: Fields): Pick<Given, 'completedTo'> {
  if (outcome !== 'completed') return {};
  return { completedTo: asObject(plan)?.['from'] === 'target' ? 'source' : 'target' };
}

const SIDE = isOneOf(...SIDES);
const OUTCOME = isOneOf('commit', 'abort');
const TASKS: Check = ['an integer from 0 to 100000', (value) => COUNT[1](value) && (value as number) <= 100_000];
const IS_READ = optional(isOneOf(true));
const FENCES: readonly SwitchRecord['fence'][] = ['drained', 'drainedAndAbandoned', 'epoch', 'frozen'];

const RECORD = {
  epoch: COUNT,
  from: SIDE,
  to: SIDE,
  outcome: OUTCOME,
  by: TEXT,
  members: COUNT,
  fence: isOneOf(...FENCES),
};
const REGIME = { committed: COUNT, side: SIDE, isJoined: FLAG };
const TRUE = optional(isOneOf(true));
const SIGHTING = {
  is: isOneOf(...SIGHTINGS),
  ...{ inFlight: optional(COUNT), abandoned: optional(COUNT), endedTo: optional(SIDE) },
  ...{ isRestarted: TRUE, hasLost: TRUE, hasOutlasted: TRUE, isLater: TRUE },
};

const EVENTS: { readonly [Kind in SwitchEventKind]: Readonly<Record<string, Check>> } = {
  begin: {},
  resume: {},
  enlist: { isRead: IS_READ },
  hold: { leaseMs: COUNT },
  task: { tasks: TEXT, ...SIGHTING },
  hook: { state: isOneOf('started', 'passed', 'failed'), fences: TRUE },
  ready: { leaseMs: optional(INTEGER) },
  targets: { strangers: COUNT },
  decide: { outcome: OUTCOME },
  decision: { outcome: OUTCOME, by: TEXT, isRead: IS_READ },
  released: { tasks: TEXT, to: SIDE },
  settle: { ...REGIME, isRead: IS_READ },
};

function readRecord(name: string, value: unknown, problems: Problems): void {
  const record = readObject(name, value, RECORD, problems);
  if (record?.['trace'] === undefined) return;
  const trace = readObject(`${name}.trace`, record['trace'], {}, problems);
  if (!trace) return;
  readObject(`${name}.trace.before`, trace['before'], REGIME, problems);
  readObject(`${name}.trace.members`, trace['members'], { source: TASKS, target: TASKS }, problems);
  const { names, events } = trace as Partial<Record<keyof SwitchTrace, unknown>>;
  const areNames = Array.isArray(names) && names.every((each) => typeof each === 'string');
  if (!areNames) problems.add(`${name}.trace.names`, 'a list of texts', names);
  if (!Array.isArray(events)) return problems.add(`${name}.trace.events`, 'a list', events);
  events.forEach((event: unknown, at) => readEvent(`${name}.trace.events[${at}]`, event, problems));
}

function readEvent(name: string, value: unknown, problems: Problems): void {
  const { kind } = (readObject(name, value, { atMs: INTEGER, kind: isOneOf(...Object.keys(EVENTS)) }, problems) ??
    {}) as Partial<SwitchEvent>;
  if (kind && Object.hasOwn(EVENTS, kind)) readObject(name, value, EVENTS[kind], problems);
}
