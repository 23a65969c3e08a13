import type { Fields, FieldValues, IntegerField, ObjectField, TextField } from '../validation/fields';
import type { Problems } from '../validation/problems';
import { requestPath } from '../validation/request-path';

/** A path of a backend that is called by a hook. */
export const HOOK_PATH = {
  kind: 'text',
  isOptional: true,
  ...requestPath(1_024),
} as const;

/**
 * @see https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
 */
export const FUNCTION_ARN_PATTERN =
  '^arn:aws[a-z-]{0,12}:lambda:[a-z0-9-]{1,30}:[0-9]{12}:function:[A-Za-z0-9_-]{1,64}(:([$]LATEST|[A-Za-z0-9_-]{1,128}))?$';
export const FUNCTION_ARN_RULE = 'the ARN of a Lambda function, with a version or an alias if need be';

export const FUNCTION_ARN = {
  kind: 'text',
  isOptional: true,
  pattern: FUNCTION_ARN_PATTERN,
  rule: FUNCTION_ARN_RULE,
  sentence: 'The function that is called for each part. Either this or `http`.',
} as const satisfies TextField;

const limit = (ms: number, sentence: string) =>
  ({ kind: 'integer', min: 50, max: 25_000, default: ms, unit: 'ms', sentence }) as const satisfies IntegerField;

export const PROBE_WRITE = {
  kind: 'object',
  isOptional: true,
  sentence:
    'A write that is tried at the side that is frozen, and must be rejected. Without it a freeze counts as no fence. Preflight tries it at the source, which must accept it: it must do no harm.',
  fields: {
    method: {
      kind: 'choice',
      values: ['POST', 'PUT', 'PATCH', 'DELETE'],
      default: 'POST',
      sentence: 'Its method. Its body is empty.',
    },
    path: {
      kind: 'text',
      pattern: HOOK_PATH.pattern,
      rule: HOOK_PATH.rule,
      sentence: 'Its path. A status of 400 or more rejects it.',
    },
  },
} as const satisfies ObjectField;

/** Of each part of a hook, and of a transfer of state. */
export const PART_LIMITS = {
  freeze: limit(1_000, 'For `freeze`.'),
  probeWrite: limit(500, 'For the probe write.'),
  transfer: limit(1_000, 'For `transfer`.'),
  verify: limit(1_000, 'For `verify`.'),
  thaw: { ...limit(1_000, 'For each of three attempts of `thaw`.'), max: 3_000 },
} as const satisfies Fields;

const HOOK_FIELDS = {
  functionArn: FUNCTION_ARN,
  http: {
    kind: 'object',
    isOptional: true,
    sentence: 'The paths of the backends that are called by POST, through a proxy. Either this or `functionArn`.',
    fields: {
      freeze: { ...HOOK_PATH, sentence: 'The side that is left rejects writes from then on. It needs `thaw`.' },
      transfer: { ...HOOK_PATH, sentence: 'The side that is switched to fetches what it needs from the other one.' },
      verify: {
        ...HOOK_PATH,
        sentence: 'Each side says whether it is ready. Where one responds with a `digest`, both must have the same.',
      },
      thaw: {
        ...HOOK_PATH,
        sentence: 'The side that serves after the decision accepts writes. It may never have been frozen.',
      },
    },
  },
  probeWrite: PROBE_WRITE,
  timeoutMs: {
    kind: 'object',
    sentence: 'The limit of each part. Those before the decision must fit into `maxPauseMs` together.',
    fields: PART_LIMITS,
  },
} as const satisfies Fields;

/** What freezes the side that is left, moves state along, and verifies it, before a switch is decided. */
export type HookPlan = FieldValues<typeof HOOK_FIELDS>;

export const HOOK_FIELD = {
  kind: 'object',
  isOptional: true,
  sentence: 'The state hook: called while requests wait, before the decision. It freezes, transfers and verifies.',
  fields: HOOK_FIELDS,
  schema: { oneOf: [{ required: ['functionArn'] }, { required: ['http'] }] },
} as const satisfies ObjectField;

/** The parts before the decision, in their order. `verify` is called at both sides at once. */
export const DECIDING_PARTS = ['freeze', 'probeWrite', 'transfer', 'verify'] as const;
/** A thaw that fails is tried again. */
export const THAW_ATTEMPTS = 3;

/** Whether it has this part: a function is called for each. */
export function hasPart(
  { functionArn, http, probeWrite }: HookPlan,
  part: 'freeze' | 'transfer' | 'verify' | 'thaw' | 'probeWrite',
) {
  if (part === 'probeWrite') return probeWrite !== undefined;
  return functionArn !== undefined || http?.[part] !== undefined;
}

/** Adds a problem for each rule between the parts of a hook, and the pause that they must fit into. */
export function checkHook(name: string, hook: HookPlan, maxPauseMs: number, problems: Problems): void {
  const { functionArn, http, probeWrite, timeoutMs } = hook;
  if ((functionArn === undefined) === (http === undefined)) {
    problems.add(name, 'one with either functionArn or http', http ? 'both' : undefined);
    return;
  }
  if (http && !(http.freeze ?? http.transfer ?? http.verify)) {
    problems.add(`${name}.http`, 'an object with a path of freeze, transfer or verify', http);
  }
  if (http?.freeze !== undefined && http.thaw === undefined) {
    problems.add(`${name}.http.thaw`, 'given with a freeze', http.thaw);
  }
  if (probeWrite && !hasPart(hook, 'freeze') && !problems.isAbout(`${name}.http`))
    problems.add(`${name}.http.freeze`, 'given with a probeWrite', undefined);
  const parts = DECIDING_PARTS.filter((part) => hasPart(hook, part));
  checkPause(name, parts, timeoutMs, maxPauseMs, problems);
}

/** What is called while requests wait must fit into the longest pause. */
export function checkPause(
  name: string,
  parts: readonly (typeof DECIDING_PARTS)[number][],
  timeoutMs: HookPlan['timeoutMs'],
  maxPauseMs: number,
  problems: Problems,
): void {
  const sumMs = parts.reduce((sum, part) => sum + timeoutMs[part], 0);
  if (sumMs <= maxPauseMs) return;
  const rule = `at most ${maxPauseMs} ms ('switch.maxPauseMs') for ${parts.join(', ')} together`;
  problems.add(`${name}.timeoutMs`, rule, sumMs);
}
