import { HOOK_FIELD } from './hook-plan';
import { REPLAY_FIELD } from './replay-plan';
import { STATE_FIELD } from './state-plan';
import type { BooleanField, ChoiceField, Fields, FieldValues, ObjectField } from '../validation/fields';

/** What becomes of the writes of the side that was switched to when a cutover rolls back after the commit, or by `drainshift rollback`. */
const POINT_OF_NO_RETURN = {
  kind: 'choice',
  values: ['undecided', 'shared', 'replay', 'acceptLoss'],
  default: 'undecided',
  sentence:
    'What becomes of the writes of the side that was switched to when traffic leaves it again after the commit: both sides have the same store, or `state` takes them along (`shared`), or they are replayed on the other side (`replay`, see `replay`), or they are lost (`acceptLoss`). A plan with `undecided` is rejected.',
} as const satisfies ChoiceField;

const DRY_RUN = {
  kind: 'boolean',
  default: false,
  sentence: 'Whether everything is tried but the decision, which is an abort.',
} as const satisfies BooleanField;

export const SWITCH_FIELDS = {
  maxPauseMs: {
    kind: 'integer',
    min: 100,
    max: 25_000,
    default: 5_000,
    unit: 'ms',
    sentence: 'How long requests may wait for the decision. When it takes longer the side that serves goes on.',
  },
  maxWaiting: {
    kind: 'integer',
    min: 1,
    max: 100_000,
    default: 10_000,
    unit: 'requests',
    sentence: 'How many requests wait at one proxy task; further ones get 503.',
  },
  maxInFlight: {
    kind: 'integer',
    min: 1,
    max: 1_000_000,
    default: 1_000_000,
    unit: 'requests',
    sentence: 'A switch does not start while more requests than this are in flight at the side that is left.',
  },
  attempts: {
    kind: 'integer',
    min: 1,
    max: 20,
    default: 3,
    unit: 'attempts',
    sentence: 'How often the switch is tried. Each attempt has a new epoch.',
  },
  attemptSeconds: {
    kind: 'integer',
    min: 1,
    max: 3_600,
    default: 30,
    unit: 's',
    sentence: 'The time between two attempts.',
  },
  longestRequestSeconds: {
    kind: 'integer',
    min: 0,
    max: 3_600,
    default: 60,
    unit: 's',
    sentence:
      'How long a request may run at the backend. What a proxy task had sent that died counts as ended after this time.',
  },
  fence: {
    kind: 'choice',
    values: ['drained', 'drainedAndAbandoned', 'epoch'],
    default: 'drained',
    sentence:
      'What keeps the side that is left from writing after the decision: all requests have ended (`drained`); also those that were given up have outlasted `longestRequestSeconds` (`drainedAndAbandoned`); the application rejects requests with a lower `X-Drainshift-Epoch` (`epoch`).',
  },
  rampPerSecond: {
    kind: 'integer',
    min: 0,
    max: 1_000_000,
    default: 0,
    unit: 'requests',
    sentence:
      'How many waiting requests each proxy task releases in the first second, twice as many in each further one. 0: all at once.',
  },
  hook: HOOK_FIELD,
  state: STATE_FIELD,
  replay: REPLAY_FIELD,
  rollback: {
    kind: 'choice',
    values: ['automatic', 'ask'],
    default: 'automatic',
    sentence: 'Whether a cutover that fails after the commit switches back by itself, or stays and asks a person.',
  },
  pointOfNoReturn: POINT_OF_NO_RETURN,
  dryRun: DRY_RUN,
} as const satisfies Fields;

/** How a switch is made. */
export type SwitchPlan = FieldValues<typeof SWITCH_FIELDS>;

export const SWITCH_FIELD = {
  kind: 'object',
  sentence: 'How `drainThenShift` switches; no other strategy reads it.',
  fields: SWITCH_FIELDS,
} as const satisfies ObjectField;
