import type { ScenarioEntry } from '../../../core/scenario/scenario';
import type { Mismatch } from '../../../core/scenario/content';
import { Side } from '../../../core/traffic/weights';
import { Histogram } from './histogram';

/** Which side something was seen on; none where there was no response, or one of the load balancer itself. */
export type SeenOn = Side | 'noSide';

/** The session of the application that a request carried. */
export interface SeenSession {
  /** The side that set its cookie. */
  readonly beganOn: Side;
  /** The response set another one in its place. */
  readonly isRenewed: boolean;
}

export interface EntryCounts {
  readonly right: number;
  readonly wrong: number;
}

/** How long right responses took. */
export interface EntryTimes {
  readonly count: number;
  /** Half of them took at most so many milliseconds; 0 when there is none. */
  readonly halfMs: number;
}

/** How requests went that carried a session. */
export interface SessionCounts extends EntryCounts {
  /** Of both, those whose response began another session in its place. */
  readonly renewed: number;
  /** Of the first wrong one. */
  readonly example?: Mismatch;
}

/** One way in which an entry went wrong. */
export interface EntryProblem extends Mismatch {
  readonly side: SeenOn;
  readonly count: number;
  /** ISO 8601; of the first time. */
  readonly firstAt: string;
}

/** What became of one entry of a scenario: responses, messages, events, streamed responses, and connections that failed. */
export interface EntryTally extends ScenarioEntry {
  readonly bySide: Readonly<Record<SeenOn, EntryCounts>>;
  /** Of those with a session: by the side that served them, and by the one on which it began. */
  readonly bySession: Readonly<Record<Side, Readonly<Record<Side, SessionCounts>>>>;
  /** Of right responses, from the request to the whole response; of an event stream nothing is timed. */
  readonly times?: Readonly<Record<Side, EntryTimes>>;
  /** The first ten ways in which it went wrong. */
  readonly problems: readonly EntryProblem[];
}

const MAX_PROBLEMS = 10;

type Writable<T> = { -readonly [Name in keyof T]: T[Name] };
type Counts = Record<SeenOn, Writable<EntryCounts>>;
type BySession = Record<Side, Record<Side, Writable<SessionCounts>>>;

interface Counted {
  readonly entry: ScenarioEntry;
  readonly bySide: Counts;
  readonly bySession: BySession;
  readonly took: Record<Side, { count: number; readonly ms: Histogram }>;
  readonly problems: Map<string, Writable<EntryProblem>>;
}

/** Counts each entry of a scenario by side. */
export class EntryRecorder {
  private readonly counted = new Map<string, Counted>();

  constructor(entries: readonly ScenarioEntry[]) {
    for (const entry of entries) {
      const none = () => ({ right: 0, wrong: 0 });
      const bySide: Counts = { source: none(), target: none(), noSide: none() };
      const began = () => ({ source: { ...none(), renewed: 0 }, target: { ...none(), renewed: 0 } });
      const bySession: BySession = { source: began(), target: began() };
      const took = { source: { count: 0, ms: new Histogram() }, target: { count: 0, ms: new Histogram() } };
      this.counted.set(entry.name, { entry, bySide, bySession, took, problems: new Map() });
    }
  }

  /** @param session that the request carried; undefined where it is not known where it began */
  right(name: string, side: SeenOn, session?: SeenSession): void {
    const counted = this.counted.get(name);
    if (!counted) return;
    counted.bySide[side].right += 1;
    countSession(counted.bySession, side, session);
  }

  /** @param ms that a right response took, of this machine */
  took(name: string, side: SeenOn, ms: number): void {
    const counted = this.counted.get(name);
    if (!counted || side === 'noSide') return;
    counted.took[side].count += 1;
    counted.took[side].ms.add(ms);
  }

  /** @param session that the request carried; undefined where it is not known where it began */
  wrong(name: string, side: SeenOn, { expected, got }: Mismatch, session?: SeenSession): void {
    const counted = this.counted.get(name);
    if (!counted) return;
    counted.bySide[side].wrong += 1;
    countSession(counted.bySession, side, session, { expected, got });
    const key = JSON.stringify([side, expected, got]);
    const known = counted.problems.get(key);
    if (known) known.count += 1;
    else if (counted.problems.size < MAX_PROBLEMS) {
      counted.problems.set(key, { side, expected, got, count: 1, firstAt: new Date().toISOString() });
    }
  }

  tally(): EntryTally[] {
    return [...this.counted.values()].map(({ entry, bySide, bySession, took, problems }) => ({
      ...entry,
      bySide: structuredClone(bySide),
      bySession: structuredClone(bySession),
      times: { source: readTimes(took.source), target: readTimes(took.target) },
      problems: [...problems.values()].map((problem) => ({ ...problem })),
    }));
  }
}

function readTimes({ count, ms }: Counted['took'][Side]): EntryTimes {
  return { count, halfMs: ms.quantile(0.5) };
}

function countSession(bySession: BySession, side: SeenOn, session: SeenSession | undefined, wrong?: Mismatch): void {
  if (side === 'noSide' || !session) return;
  const counts = bySession[side][session.beganOn];
  counts[wrong ? 'wrong' : 'right'] += 1;
  if (session.isRenewed) counts.renewed += 1;
  if (wrong) counts.example ??= wrong;
}
