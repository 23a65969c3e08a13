import type { CaptureName } from './capture-name';
import { Plan, scaleDurations, parsePlan } from '../../core/plan/plan';
import { PLAN_PARTS, checkFloor } from '../../core/plan/plan-floor';
import { Problems } from '../../core/validation/problems';
import { deployedIn } from '../template/model/deployed';
import type { MachineDescription } from '../state-machine/model';
import type { Side } from '../../core/traffic/weights';
import { UsageError } from '../errors/usage-error';
import { readPlanFile } from '../plan-file/plan-file';

/** The strategies, as the option `--strategy` names them. */
export const STRATEGIES = { gradual: 'gradual', 'drain-then-shift': 'drainThenShift' } as const satisfies Record<
  string,
  Plan['strategy']
>;

export type StrategyName = keyof typeof STRATEGIES;

/** How the state of the rehearsal's own backends goes along, as the option `--state` names it. */
export const STATES = ['http', 'valkey', 'valkey-replicate', 'checkpoint'] as const;

export type StateName = (typeof STATES)[number];

interface AskedPlan {
  /** JSON or YAML. @default - the plan that the state machine was synthesized with */
  readonly plan?: string;
  /** @default - the plan's own */
  readonly strategy?: StrategyName;
  /** In place of what the plan takes along. @default - the plan's own */
  readonly state?: StateName;
  /** The stores of both sides, of `valkey` and `valkey-replicate`. */
  readonly stores?: Readonly<Record<Side, string>>;
  /** Whether both backends have one store, as those of the rehearsal do. */
  readonly isStoreShared: boolean;
  /** Whether the source records. */
  readonly capture?: CaptureName;
}

/**
 * The plan of a rehearsal, with its waiting divided by `speed`.
 *
 * @throws UsageError for a file that cannot be read, CutoverError `PlanInvalid` for a plan that breaks a rule
 */
export function rehearsedPlan(machine: MachineDescription, asked: AskedPlan, speed: number): Plan {
  const given = withCapture(withState(askedPlan(machine, asked), asked), asked);
  return scaleDurations(withoutPerson(parsePlan(given), asked.plan === undefined ? undefined : given), speed);
}

/** A rehearsal has no person beside it: it rolls back where the judge would ask, unless a file says that it asks. */
function withoutPerson(plan: Plan, file: unknown): Plan {
  const { judge } = (file ?? {}) as { readonly judge?: { readonly inconclusive?: unknown } };
  return judge?.inconclusive === undefined ? { ...plan, judge: { ...plan.judge, inconclusive: 'rollBack' } } : plan;
}

/** What a deployed cutover would say of a plan that it is started with; empty when it would take it. */
export function floorProblems(machine: MachineDescription, asked: AskedPlan): readonly string[] {
  if (asked.plan === undefined && asked.strategy === undefined) return [];
  const problems = new Problems();
  checkFloor(
    parsePlan(withState(askedPlan(machine, asked), asked)),
    parsePlan(defaultPlan(machine)),
    PLAN_PARTS,
    problems,
  );
  return problems.all;
}

/** The stages and the switch of a plan are those of its strategy: with another one they go. */
function askedPlan(machine: MachineDescription, { plan: file, strategy, isStoreShared }: AskedPlan): unknown {
  const plan = file === undefined ? defaultPlan(machine) : readPlanFile({ name: '--plan', file });
  if (strategy === undefined || typeof plan !== 'object' || plan === null) return plan;
  const wanted = STRATEGIES[strategy];
  const { strategy: given = 'gradual', stages, switch: switching, ...rest } = plan as Record<string, unknown>;
  if (given === wanted) return plan;
  if (wanted === 'gradual') return { ...rest, strategy: wanted };
  // A plan that only lacks the name of its strategy says how it switches.
  if (switching !== undefined)
    return { ...rest, strategy: wanted, switch: switching, ...(isOneStage(stages) && { stages }) };
  return { ...rest, strategy: wanted, switch: isStoreShared ? { pointOfNoReturn: 'shared' } : {} };
}

/** @throws UsageError where the plan does not switch */
function withState(plan: unknown, { state, stores }: AskedPlan): unknown {
  if (state === undefined) return plan;
  const { strategy, switch: switching, ...rest } = plan as Record<string, unknown>;
  if (strategy !== STRATEGIES['drain-then-shift']) {
    throw new UsageError("'--state' must be of a plan that switches (--strategy drain-then-shift), got another one");
  }
  // In its place: a plan has one of both.
  const others = Object.entries(switching as object).filter(([name]) => name !== 'hook');
  const own = { ...Object.fromEntries(others), ...describeState(state, stores) };
  return { ...rest, strategy, switch: own };
}

/** What the rehearsal's own source serves is replayed before the first stage, and each stage waits for it. Of yours the plan says so. */
function withCapture(plan: unknown, { capture, isStoreShared }: AskedPlan): unknown {
  const given = plan as { readonly capture?: object; readonly from?: Side };
  if (capture === undefined || !isStoreShared || given.capture || given.from === 'target') return plan;
  return { ...given, capture: { replay: { name: 'rehearsed', maxLagSeconds: 60 } } };
}

/** Hosts of the rehearsal's own. A part takes as long as the memory is large: what is short in time is not what is shown. */
const CHECKPOINT = {
  maxPauseMs: 20_000,
  state: {
    checkpoint: {
      documentName: 'rehearsal-checkpoint',
      source: { instanceId: 'i-00000000000000001' },
      target: { instanceId: 'i-00000000000000002' },
      verifyPath: '/internal/digest',
    },
    timeoutMs: { freeze: 8_000, transfer: 8_000, verify: 3_000, thaw: 3_000 },
  },
};

/** What the plan gets for it. */
function describeState(state: StateName, stores: AskedPlan['stores']): object {
  if (state === 'http') return { state: { http: { path: '/internal/state' } } };
  if (state === 'checkpoint') return CHECKPOINT;
  if (!stores) throw new Error(`'${state}' must have the stores of both sides, got none`);
  const method = state === 'valkey' ? 'copy' : 'replicate';
  return { state: { valkey: { method, source: { url: stores.source }, target: { url: stores.target } } } };
}

function isOneStage(stages: unknown): boolean {
  return Array.isArray(stages) && stages.length === 1;
}

function defaultPlan(machine: MachineDescription): unknown {
  return deployedIn(machine).deployed.defaultPlan;
}
