import type { ScenarioEntry } from '../../../core/scenario/scenario';
import type { Mismatch } from '../../../core/scenario/content';
import { Side } from '../../../core/traffic/weights';

/** Which side something was seen on; no side where there was no response, or one of the load balancer itself. */
export type SeenOn = Side | 'neither';

export interface EntryCounts {
  readonly right: number;
  readonly wrong: number;
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
  /** The first ten ways in which it went wrong. */
  readonly problems: readonly EntryProblem[];
}

const MAX_PROBLEMS = 10;

type Counts = Record<SeenOn, { right: number; wrong: number }>;

interface Counted {
  readonly entry: ScenarioEntry;
  readonly bySide: Counts;
  readonly problems: Map<string, { -readonly [Name in keyof EntryProblem]: EntryProblem[Name] }>;
}

/** Counts each entry of a scenario by side. */
export class EntryRecorder {
  private readonly counted = new Map<string, Counted>();

  constructor(entries: readonly ScenarioEntry[]) {
    for (const entry of entries) {
      const none = () => ({ right: 0, wrong: 0 });
      const bySide: Counts = { source: none(), target: none(), neither: none() };
      this.counted.set(entry.name, { entry, bySide, problems: new Map() });
    }
  }

  right(name: string, side: SeenOn): void {
    const counted = this.counted.get(name);
    if (counted) counted.bySide[side].right += 1;
  }

  wrong(name: string, side: SeenOn, { expected, got }: Mismatch): void {
    const counted = this.counted.get(name);
    if (!counted) return;
    counted.bySide[side].wrong += 1;
    const key = JSON.stringify([side, expected, got]);
    const known = counted.problems.get(key);
    if (known) known.count += 1;
    else if (counted.problems.size < MAX_PROBLEMS) {
      counted.problems.set(key, { side, expected, got, count: 1, firstAt: new Date().toISOString() });
    }
  }

  tally(): EntryTally[] {
    return [...this.counted.values()].map(({ entry, bySide, problems }) => ({
      ...entry,
      bySide: { source: { ...bySide.source }, target: { ...bySide.target }, neither: { ...bySide.neither } },
      problems: [...problems.values()].map((problem) => ({ ...problem })),
    }));
  }
}
