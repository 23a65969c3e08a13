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
} as const satisfies Fields;

export const CAPTURE_FIELD = {
  kind: 'object',
  isOptional: true,
  sentence:
    'What the [capture](capture.md) of the side that is left must be like before anything moves, and before each further stage. Absent: it is not asked for.',
  fields: CAPTURE_FIELDS,
} as const satisfies ObjectField;

export type CapturePlan = FieldValues<typeof CAPTURE_FIELDS>;
