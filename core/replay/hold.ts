/** How long a checkpoint belongs to the replay that writes it. */
export interface HoldTimes {
  /** Between two writes. */
  readonly saveMs: number;
  /** A replay sends nothing more when its last write was begun so long ago. */
  readonly holdMs: number;
  /** Once nothing was written for so long, its replay is gone: it has sent nothing for the end of its last requests. */
  readonly silenceMs: number;
  /** How long another replay waits for one that goes on writing. */
  readonly maxWaitMs: number;
  /** Between two reads. */
  readonly pollMs: number;
}

/** Of an object of S3: what is under way ends within 10 seconds, a write takes 7 with its turn, and 13 are left. */
export const REMOTE_HOLD: HoldTimes = {
  ...{ saveMs: 2_000, holdMs: 30_000 },
  ...{ silenceMs: 60_000, maxWaitMs: 90_000, pollMs: 1_000 },
};

/** Of a file: its process can be seen, so nothing ends by time alone, and no replay waits for one that runs. */
export const LOCAL_HOLD: HoldTimes = {
  ...{ saveMs: 1_000, holdMs: Infinity },
  ...{ silenceMs: 45_000, maxWaitMs: 0, pollMs: 200 },
};

/** What is seen of a checkpoint that has an owner. */
export interface SeenHold {
  /** Since the first read. */
  readonly waitedMs: number;
  /** Since the read that saw it change last, or the first. */
  readonly unchangedMs: number;
  /** Whether it has changed since the first read. */
  readonly hasChanged: boolean;
  /** Whether its process is known to be gone. */
  readonly isGone: boolean;
}

/** Whether another replay may take it: `taken` says that its owner is not going to end. */
export function judgeHold(seen: SeenHold, times: HoldTimes): 'free' | 'wait' | 'taken' {
  if (seen.isGone || seen.unchangedMs >= times.silenceMs) return 'free';
  return seen.hasChanged && seen.waitedMs >= times.maxWaitMs ? 'taken' : 'wait';
}
