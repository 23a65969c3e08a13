import type { FieldValues, Fields, ListField } from '../validation/fields';
import type { Problems } from '../validation/problems';
import { FUNCTION_ARN_PATTERN, FUNCTION_ARN_RULE, HOOK_PATH } from './hook-plan';

/** The phases of a cutover, in their order; `rollback` takes the place of those that are left. */
export const PHASES = ['preflight', 'shift', 'bake', 'drain', 'verify', 'complete', 'rollback'] as const;
export type Phase = (typeof PHASES)[number];

/** When a hook is called. Those of `shift` and `bake` are called at each stage. */
export const HOOK_TIMES = [
  ...['beforePreflight', 'afterPreflight', 'beforeShift', 'afterShift', 'beforeBake', 'afterBake', 'beforeDrain'],
  ...['afterDrain', 'beforeVerify', 'afterVerify', 'beforeComplete', 'afterComplete', 'beforeRollback'],
  'afterRollback',
] as const satisfies readonly HookTime[];
export type HookTime = `${'before' | 'after'}${Capitalize<Phase>}`;

/** What follows a hook that failed, or said no. */
export type HookFailure = 'rollBack' | 'pause' | 'continue';

/** Both sides are looked at meanwhile, and a step has so much time. */
export const MAX_HOOK_SECONDS = 20;
/** How long a hook may say not yet, where its plan does not say it. */
export const DEFAULT_HOOK_WAIT_SECONDS = 600;
/** As long as ECS waits. */
const MAX_HOOK_WAIT_SECONDS = 86_400;
export const MAX_HOOKS = 20;

/** Behind `Verify`, and in a rollback, nothing waits for a hook and nothing is stopped by one. */
const UNSTOPPABLE: readonly HookTime[] = ['beforeComplete', 'afterComplete', 'beforeRollback', 'afterRollback'];

const PHASE_HOOK_FIELDS = {
  name: {
    kind: 'text',
    pattern: '^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$',
    rule: "a name of up to 40 letters, digits, '-' and '_'",
    sentence: 'Its name in messages and in the evidence; no two hooks have the same.',
  },
  when: {
    kind: 'choice',
    values: HOOK_TIMES,
    sentence: 'When it is called. Those of a shift and of a bake are called at each stage.',
  },
  functionArn: {
    kind: 'text',
    isOptional: true,
    pattern: FUNCTION_ARN_PATTERN,
    rule: FUNCTION_ARN_RULE,
    sentence: 'The function that is called. Either this, `http` or `url`.',
  },
  http: {
    kind: 'object',
    isOptional: true,
    sentence: 'The backend that is called by POST, through a proxy of its side.',
    fields: {
      side: {
        kind: 'choice',
        values: ['to', 'from'],
        default: 'to',
        sentence: 'Whose: of the side that gets the traffic (`to`), or of the one that is left (`from`).',
      },
      path: { ...HOOK_PATH, isOptional: false, sentence: 'Its path.' },
    },
  },
  url: {
    kind: 'text',
    isOptional: true,
    pattern: '^https?://[A-Za-z0-9._:\\[\\]-]{1,260}(/[!"$-~]{0,1700})?$',
    rule: 'a URL as https://checks.example.com/canary, without a name and a password',
    sentence: 'The URL that is called by POST, from the network of the cutover.',
  },
  timeoutSeconds: {
    kind: 'seconds',
    min: 1,
    max: MAX_HOOK_SECONDS,
    default: 10,
    unit: 's',
    sentence: 'How long a call may take, with its repetitions. Then it has failed.',
  },
  waitSeconds: {
    kind: 'seconds',
    isOptional: true,
    min: 0,
    max: MAX_HOOK_WAIT_SECONDS,
    unit: 's',
    sentence: `How long it may say not yet, from its first call on. Then it has failed. Without it ${DEFAULT_HOOK_WAIT_SECONDS}, and 0 where nothing waits for it: at \`complete\` and \`rollback\`.`,
  },
  onFailure: {
    kind: 'choice',
    values: ['rollBack', 'pause', 'continue'],
    isOptional: true,
    sentence:
      'What follows when it fails or says no: the cutover rolls back, asks a person, or goes on. Without it `rollBack`, and `continue` where it is the only one: at `complete` and `rollback`.',
  },
} as const satisfies Fields;

/** A function, a backend or a URL that is called between two phases. */
export type PhaseHook = FieldValues<typeof PHASE_HOOK_FIELDS>;

export const HOOKS_FIELD = {
  kind: 'list',
  min: 0,
  max: MAX_HOOKS,
  rule: `a list of at most ${MAX_HOOKS} hooks`,
  default: [] as readonly PhaseHook[],
  sentence:
    'What is called before and after the phases of the cutover, one after the other in this order. Without any: nothing.',
  item: {
    kind: 'object',
    sentence: 'One hook.',
    fields: PHASE_HOOK_FIELDS,
    schema: { oneOf: [{ required: ['functionArn'] }, { required: ['http'] }, { required: ['url'] }] },
  },
  check: (problems: Problems, name: string, hooks: readonly PhaseHook[]) => {
    hooks.forEach((hook, index) => checkPhaseHook(problems, `${name}[${index}]`, hook, hooks.slice(0, index)));
  },
} as const satisfies ListField;

function checkPhaseHook(problems: Problems, name: string, hook: PhaseHook, before: readonly PhaseHook[]): void {
  const { when, onFailure, waitSeconds } = hook;
  if (hook.url !== undefined && !problems.isAbout(`${name}.url`) && !URL.canParse(hook.url)) {
    problems.add(`${name}.url`, PHASE_HOOK_FIELDS.url.rule, hook.url);
  }
  checkCallee(problems, name, hook);
  if (hook.name !== '' && before.some((each) => each.name === hook.name))
    problems.add(`${name}.name`, 'a name of its own', hook.name);
  if (onFailure !== undefined && onFailure !== 'continue' && isUnstoppable(when)) {
    problems.add(`${name}.onFailure`, `continue, because ${when} stops nothing`, onFailure);
  }
  if (waitSeconds !== undefined && waitSeconds > 0 && isUnstoppable(when)) {
    problems.add(`${name}.waitSeconds`, `0, because ${when} waits for nothing`, waitSeconds);
  }
}

/** One that is wrong reads as absent. */
function checkCallee(problems: Problems, name: string, hook: PhaseHook): void {
  const callees = ['functionArn', 'http', 'url'] as const;
  if (callees.some((each) => problems.isAbout(`${name}.${each}`))) return;
  const given = callees.filter((each) => hook[each] !== undefined);
  if (given.length === 1) return;
  problems.add(name, 'one with either functionArn, http or url', given.length === 0 ? undefined : given.join(' and '));
}

/** Whether nothing waits for it to pass. */
export function isUnstoppable(when: HookTime): boolean {
  return UNSTOPPABLE.includes(when);
}

export function findOnFailure({ onFailure, when }: Pick<PhaseHook, 'onFailure' | 'when'>): HookFailure {
  return onFailure ?? (isUnstoppable(when) ? 'continue' : 'rollBack');
}

/** How long it may say not yet. */
export function findWaitSeconds({ waitSeconds, when }: Pick<PhaseHook, 'waitSeconds' | 'when'>): number {
  if (isUnstoppable(when)) return 0;
  return waitSeconds ?? DEFAULT_HOOK_WAIT_SECONDS;
}

/** Whether it is called at each stage. */
export function isOfStages(when: HookTime): boolean {
  return /Shift|Bake/.test(when);
}

/** Where it goes, for people. */
export function describeCallee({ functionArn, http, url }: PhaseHook): string {
  if (functionArn !== undefined) return functionArn;
  if (http) return `POST ${http.path} of the side '${http.side}'`;
  return `POST ${url ?? ''}`;
}

interface Hooked {
  readonly hooks: readonly PhaseHook[];
  readonly stages: readonly unknown[];
  readonly switch?: { readonly attempts: number };
}

/** How often the hooks of a plan are called between its steps, at the most, where none says not yet. */
export function countHookCalls(plan: Hooked): number {
  return plan.hooks.reduce((sum, hook) => sum + countCalls(plan, hook), 0);
}

function countCalls({ stages, switch: switching }: Hooked, { when }: PhaseHook): number {
  if (isUnstoppable(when)) return 0;
  if (when === 'beforeShift' && switching) return switching.attempts;
  return isOfStages(when) ? stages.length : 1;
}

/** How long the hooks of a plan may take together, and how much of it they may say not yet. */
export function sumHookSeconds(plan: Hooked): { readonly calls: number; readonly waits: number } {
  const sum = (measure: (hook: PhaseHook) => number) =>
    plan.hooks.reduce((all, hook) => all + countCalls(plan, hook) * measure(hook), 0);
  return { calls: sum(({ timeoutSeconds }) => timeoutSeconds), waits: sum(findWaitSeconds) };
}
