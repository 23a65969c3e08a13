import { REPLAY_NAME_PATTERN, REPLAY_NAME_RULE } from '../replay/replay-status';
import type { FieldValues, Fields, ObjectField } from '../validation/fields';

const CAPTURE_FIELDS = {
  maxUnrecorded: {
    kind: 'integer',
    min: 0,
    max: 1_000_000_000,
    default: 0,
    unit: 'requests',
    sentence:
      'How many requests that change something the proxies of the side that is left may have forwarded without a record since they started.',
  },
  maxPendingSeconds: {
    kind: 'seconds',
    min: 1,
    max: 3_600,
    default: 60,
    unit: 's',
    sentence: 'How long the oldest of their records may wait until it is written.',
  },
  replay: {
    kind: 'object',
    isOptional: true,
    sentence:
      'What a replay of it to the side that gets the traffic must be like. It follows the capture, and no request may be parked.',
    fields: {
      name: {
        kind: 'text',
        pattern: REPLAY_NAME_PATTERN,
        rule: REPLAY_NAME_RULE,
        sentence: 'Its status is `replays/NAME.json` in the bucket of the cutover.',
      },
      maxLagSeconds: {
        kind: 'integer',
        min: 1,
        max: 86_400,
        default: 60,
        unit: 's',
        sentence: 'How far it may be behind.',
      },
      forSeconds: {
        kind: 'seconds',
        min: 0,
        max: 3_540,
        default: 0,
        unit: 's',
        sentence: 'For how long it must not have been further behind; by whole minutes.',
      },
      comparison: {
        kind: 'choice',
        values: ['any', 'promote'],
        default: 'any',
        sentence: 'What its comparison must say.',
      },
    },
  },
} as const satisfies Fields;

export const CAPTURE_FIELD = {
  kind: 'object',
  isOptional: true,
  sentence:
    'What the [capture](capture.md) of the side that is left must be like before anything moves, and before each further stage. Absent: it is not asked for.',
  fields: CAPTURE_FIELDS,
} as const satisfies ObjectField;

export type CapturePlan = FieldValues<typeof CAPTURE_FIELDS>;
