import { REPLAY_NAME_PATTERN, REPLAY_NAME_RULE } from '../replay/replay-status';
import type { ReplayLimits } from '../replay/replay-gate';
import type { Side } from '../traffic/weights';
import type { Fields, FieldValues, ObjectField, TextField } from '../validation/fields';
import type { Problems } from '../validation/problems';
import type { CapturePlan } from './capture-plan';
import { findDirection } from './direction';
import { HOOK_PATH, HookPlan, PART_LIMITS, checkPause, hasPart } from './hook-plan';
import type { StatePlan } from './state-plan';

const NAME = { kind: 'text', pattern: REPLAY_NAME_PATTERN, rule: REPLAY_NAME_RULE } as const satisfies Omit<
  TextField,
  'sentence'
>;

const REPLAY_FIELDS = {
  toSource: {
    ...NAME,
    sentence:
      'The replay that sends the source what the target has served. Its status is `replays/NAME.json` in the bucket of the cutover.',
  },
  toTarget: {
    ...NAME,
    isOptional: true,
    sentence:
      'The replay that sends the target what the source has served. Absent: the switch to the target waits for none.',
  },
  verifyPath: {
    ...HOOK_PATH,
    isOptional: false,
    sentence:
      'Called by POST at both backends behind the replay, as `verify` of a hook: both must respond with the same `digest`. A response of the replay shows that a request was sent, and not that it did the same.',
  },
  maxLagSeconds: {
    kind: 'integer',
    min: 1,
    max: 3_600,
    default: 30,
    unit: 's',
    sentence: 'Requests are not held while the replay is further behind: what is left must be sent in the hold.',
  },
  catchUpSeconds: {
    kind: 'seconds',
    min: 0,
    max: 86_400,
    default: 900,
    unit: 's',
    sentence:
      'How long a rollback waits for a replay that is further behind, before it stays with the side that serves.',
  },
  timeoutMs: {
    kind: 'object',
    sentence: 'The limits in the hold. Together they must fit into `maxPauseMs`.',
    fields: {
      transfer: { ...PART_LIMITS.transfer, default: 3_000, sentence: 'For the rest of the replay.' },
      verify: PART_LIMITS.verify,
    },
  },
} as const satisfies Fields;

/** The replays that take along what a side has served. */
export type ReplayPlan = FieldValues<typeof REPLAY_FIELDS>;

export const REPLAY_FIELD = {
  kind: 'object',
  isOptional: true,
  sentence:
    'What the side that is left has served is replayed on the other one, up to the last write, before the decision. With `pointOfNoReturn: replay`, and no other strategy reads it.',
  fields: REPLAY_FIELDS,
} as const satisfies ObjectField;

/** A replay that a cutover waits for, and for what of it. */
export interface WantedReplay {
  readonly name: string;
  readonly limits: ReplayLimits;
}

/** The replay that each stage of the plan waits for. */
export function findGateReplay({
  capture,
  from,
}: {
  readonly capture?: CapturePlan;
  readonly from?: Side;
}): WantedReplay[] {
  if (!capture?.replay) return [];
  const { name, maxLagSeconds, forSeconds, comparison } = capture.replay;
  const needsVerdict = comparison === 'promote';
  return [{ name, limits: { maxLagSeconds, forSeconds, needsVerdict, servedBy: findDirection({ from }).from } }];
}

/** The replay that a switch to this side waits for. */
export function findReplay(plan: ReplayPlan, to: Side): string | undefined {
  return to === 'source' ? plan.toSource : plan.toTarget;
}

export function replayLimits({ maxLagSeconds }: ReplayPlan, to: Side): ReplayLimits {
  return to === 'source'
    ? { maxLagSeconds, servedBy: 'target', needsWrites: true, fromTheFirst: true }
    : { maxLagSeconds, servedBy: 'source', needsWrites: true };
}

/** Adds a problem for each rule between it, and what else goes along in a switch. */
export function checkReplay(
  name: string,
  replay: ReplayPlan,
  { maxPauseMs, hook, state }: { readonly maxPauseMs: number; readonly hook?: HookPlan; readonly state?: StatePlan },
  problems: Problems,
): void {
  const { toSource, toTarget, timeoutMs } = replay;
  if (toSource === toTarget) problems.add(`${name}.toTarget`, `another name than 'toSource'`, toTarget);
  // What is frozen takes no replayed writes, and stays frozen after a commit.
  if (state) problems.add('switch.state', "absent with 'pointOfNoReturn: replay'", 'both');
  if (hook && hasPart(hook, 'freeze'))
    problems.add(
      'switch.hook',
      "one without a freeze with 'pointOfNoReturn: replay', because a frozen side takes no replayed writes",
      'one with a freeze',
    );
  if (hook && toTarget !== undefined)
    problems.add(`${name}.toTarget`, "absent where there is a 'switch.hook'", toTarget);
  checkPause(name, ['transfer', 'verify'], { ...LIMITS, ...timeoutMs }, maxPauseMs, problems);
}

/** Of the parts that a replay has not. */
const LIMITS = { freeze: 1_000, probeWrite: 500, thaw: 1_000 } as const;

/** The hook that verifies both sides behind a replay. */
export function findReplayHook({ verifyPath, timeoutMs }: ReplayPlan): HookPlan {
  return {
    http: { freeze: undefined, transfer: undefined, verify: verifyPath, thaw: undefined },
    timeoutMs: { ...LIMITS, ...timeoutMs },
    functionArn: undefined,
    probeWrite: undefined,
  };
}
