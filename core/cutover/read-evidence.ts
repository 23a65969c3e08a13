import { checkLooks } from '../judge/read-looks';
import { PLAN_FIELDS } from '../plan/plan';
import { checkForms } from '../validation/field-forms';
import { Problems } from '../validation/problems';
import {
  COUNT,
  Check,
  EVIDENCE_SCHEMA,
  EvidenceUnreadable,
  FLAG,
  NUMBER,
  NUMBER_OR_NULL,
  TEXT,
  TIME,
  asObject,
  bothSides,
  isOneOf,
  eachIs,
  hasFields,
  optional,
  readObject,
  showShort,
  throwUnreadable,
} from '../validation/shapes';
import { BAKE_VERDICTS } from '../judge/look-record';
import type { Evidence } from './evidence';
import type { Outcome } from './run';

/** As much of evidence as its verdicts are computed of. What is not in the file is not there. */
export type JudgedEvidence = Pick<Evidence, 'plan'> &
  Partial<
    Pick<
      Evidence,
      | 'outcome'
      | 'stages'
      | 'timeline'
      | 'looks'
      | 'looksKept'
      | 'looksIn'
      | 'looksMissing'
      | 'failure'
      | 'rollback'
      | 'moves'
    >
  >;

const OUTCOMES: readonly Outcome[] = ['completed', 'rolled-back', 'refused', 'failed'];
const SOME: Check = ['an object', (value) => asObject(value) !== undefined];

const STAGE: Readonly<Record<string, Check>> = {
  ...{ weights: bothSides(COUNT), confirmed: FLAG, observed: bothSides(NUMBER), errors: bothSides(NUMBER) },
  ...{ lost: bothSides(NUMBER), tasksLost: bothSides(NUMBER), verdict: isOneOf(...BAKE_VERDICTS) },
  judge: optional(hasFields({ odds: NUMBER_OR_NULL, parts: eachIs(TEXT), arrivals: TEXT, missing: optional(TEXT) })),
  ...{ confirmSeconds: optional(NUMBER), seconds: NUMBER },
};
const FAILURE = optional(hasFields({ code: TEXT, message: TEXT }));
const STALL = optional(hasFields({ count: COUNT, p50Ms: NUMBER, p99Ms: NUMBER, longestMs: NUMBER }));
const MOVES = optional(hasFields({ moved: COUNT, stallCounts: eachIs(COUNT), stall: STALL }));
const LOOKS_IN = optional(hasFields({ prefix: TEXT, objects: COUNT }));
const ENTRY: Readonly<Record<string, Check>> = { at: TIME, state: TEXT, detail: SOME };

/**
 * Reads evidence whose parts are read by themselves, each as far as it can be.
 *
 * @throws EvidenceUnreadable of what is none
 */
export function readEvidence(value: unknown): Evidence {
  const evidence = asObject(value);
  if (!evidence) throw new EvidenceUnreadable(`evidence must be a JSON object, got ${showShort(value)}`);
  const { schema } = evidence;
  if (schema !== EVIDENCE_SCHEMA)
    throw new EvidenceUnreadable(`'schema' must be '${EVIDENCE_SCHEMA}', got ${showShort(schema)}`);
  const problems = new Problems(showShort);
  readObject('', evidence, { looksIn: LOOKS_IN, looksMissing: optional(TEXT) }, problems);
  throwUnreadable(problems);
  return evidence as unknown as Evidence;
}

/**
 * Reads what a list of past cutovers says of one.
 *
 * @throws EvidenceUnreadable of what is none, or has lost the form of that
 */
export function readPastEvidence(value: unknown): Evidence {
  const evidence = readEvidence(value);
  const problems = new Problems(showShort);
  const known = { execution: TEXT, startedAt: TIME, outcome: isOneOf(...OUTCOMES), durationSeconds: NUMBER };
  readObject('', evidence, { ...known, failure: FAILURE }, problems);
  checkList('timeline', evidence.timeline ?? null, ENTRY, problems);
  throwUnreadable(problems);
  return evidence;
}

/**
 * Reads a file of evidence for its verdicts: whether each part that is there has its form.
 *
 * @throws EvidenceUnreadable with a line for each rule that it breaks
 */
export function readJudgedEvidence(value: unknown): JudgedEvidence {
  const evidence = readEvidence(value);
  const problems = new Problems(showShort);
  checkPlan(evidence.plan, problems);
  readObject(
    '',
    evidence,
    {
      ...{ outcome: optional(isOneOf(...OUTCOMES)), looksKept: optional(COUNT) },
      moves: MOVES,
      failure: FAILURE,
      rollback: optional(hasFields({ restoredAt: optional(TIME) })),
    },
    problems,
  );
  checkList('stages', evidence.stages, STAGE, problems);
  checkList('timeline', evidence.timeline, ENTRY, problems);
  if (evidence.looks !== undefined) checkLooks('looks', evidence.looks, problems);
  throwUnreadable(problems);
  return evidence;
}

function checkPlan(plan: unknown, problems: Problems): void {
  // A plan that does not switch has none.
  const { switch: switching, ...fields } = PLAN_FIELDS;
  const isSwitch = asObject(plan)?.['strategy'] === 'drainThenShift';
  checkForms(problems, 'plan', plan, isSwitch ? { ...fields, switch: switching } : fields);
}

function checkList(name: string, value: unknown, fields: Readonly<Record<string, Check>>, problems: Problems): void {
  if (value === undefined) return;
  if (!Array.isArray(value)) return problems.add(name, 'a list', value);
  value.forEach((item: unknown, at) => readObject(`${name}[${at}]`, item, fields, problems));
}
