import type { FieldValues, Fields, ObjectField } from '../validation/fields';
import type { Problems } from '../validation/problems';
import { statePath } from '../state/http-contract';
import { DECIDING_PARTS, FUNCTION_ARN, HOOK_PATH, HookPlan, PART_LIMITS, PROBE_WRITE, checkPause } from './hook-plan';

const STATE_FIELDS = {
  http: {
    kind: 'object',
    isOptional: true,
    sentence: 'The application exports and imports its state, and proxies carry it. Either this or `functionArn`.',
    fields: {
      path: {
        ...HOOK_PATH,
        isOptional: false,
        sentence: 'Below it are `freeze`, `export`, `import`, `digest` and `thaw`, at both backends.',
      },
    },
  },
  functionArn: { ...FUNCTION_ARN, sentence: 'A function that is called for each part. Either this or `http`.' },
  probeWrite: PROBE_WRITE,
  prepareSeconds: {
    kind: 'seconds',
    min: 1,
    max: 3_600,
    default: 600,
    unit: 's',
    sentence: 'How long the copy before the hold may take, while the side that is left serves.',
  },
  maxBytes: {
    kind: 'integer',
    min: 1,
    max: 1_099_511_627_776,
    default: 10_737_418_240,
    unit: 'bytes',
    sentence: 'A copy of more than this is given up.',
  },
  timeoutMs: {
    kind: 'object',
    sentence: 'The limit of each part in the hold. Those before the decision must fit into `maxPauseMs` together.',
    fields: PART_LIMITS,
  },
} as const satisfies Fields;

/** How the state of the application goes along in a switch. */
export type StatePlan = FieldValues<typeof STATE_FIELDS>;

export const STATE_FIELD = {
  kind: 'object',
  isOptional: true,
  sentence:
    'The state of the application goes along: copied before the hold, and what has changed since while requests wait. Both sides must agree before the decision. In place of `hook`.',
  fields: STATE_FIELDS,
  schema: { oneOf: [{ required: ['functionArn'] }, { required: ['http'] }] },
} as const satisfies ObjectField;

/** Adds a problem for each rule between its parts, and the pause that they must fit into. */
export function checkState(name: string, state: StatePlan, maxPauseMs: number, problems: Problems): void {
  const { functionArn, http, probeWrite, timeoutMs } = state;
  if ((functionArn === undefined) === (http === undefined)) {
    problems.add(name, 'one with either functionArn or http', http ? 'both' : undefined);
    return;
  }
  if (http?.path.includes('?')) problems.add(`${name}.http.path`, "a path without a '?'", http.path);
  const parts = DECIDING_PARTS.filter((part) => part !== 'probeWrite' || probeWrite !== undefined);
  checkPause(name, parts, timeoutMs, maxPauseMs, problems);
}

/** What is called of it as of a hook: the freeze and the thaw, and all parts of a function. */
export function findStateHook({ http, ...state }: StatePlan): HookPlan {
  const paths = http && {
    freeze: statePath(http.path, 'freeze'),
    transfer: undefined,
    verify: undefined,
    thaw: statePath(http.path, 'thaw'),
  };
  return { ...state, http: paths };
}
