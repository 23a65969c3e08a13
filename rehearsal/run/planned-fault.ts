import { HookTime, isUnstoppable } from '../../core/plan/phase-hooks';
import type { Plan } from '../../core/plan/plan';
import type { Backends } from '../backend/backends';
import type { LocalCloud } from '../cloud/local-cloud';
import type { PlannedFault } from '../cloud/running-rehearsal';
import { UsageError } from '../errors/usage-error';
import { describeAsked, formatAsked, type AnyAsked } from '../faults/describe';
import { FaultInjector } from '../faults/injector';
import { SwitchInjector } from '../faults/switch-injector';
import { PHASES, PHASES_OF_HOOKS } from '../faults/phases';
import { findFault, type AskedFault, type Fault } from '../faults/table';
import type { Breakables } from '../faults/breakables';
import type { ProgressReporter } from '../progress/progress-reporter';
import type { ExecutionDescription } from '../state-machine/model';
import { findCaptureStore } from '../template/model/capture-store';
import { watchedAlarms } from '../template/model/outputs';
import type { StackModel } from '../template/model/stack-model';

interface Need {
  readonly rule: string;
  readonly got: string;
  readonly isThere: (model: StackModel, plan: Plan) => boolean;
}

/** What a fault works on. */
const NEEDS: Readonly<Record<NonNullable<Fault['needs']>, Need>> = {
  alarm: {
    rule: 'have an alarm that the cutover watches',
    got: 'none',
    isThere: ({ machine }) => watchedAlarms(machine).length > 0,
  },
  rollbackPace: {
    rule: "have a plan with 'rollbackPace.steps'",
    got: 'one without',
    isThere: (_, { rollbackPace }) => (rollbackPace?.steps.length ?? 0) > 0,
  },
  capture: {
    rule: 'have a source that records in a bucket (--capture s3)',
    got: 'none',
    isThere: (model) => findCaptureStore(model)?.kind === 's3',
  },
};

/** @throws UsageError for a fault that has nothing to work on */
export function checkFault(model: StackModel, plan: Plan, asked: AnyAsked | undefined): void {
  if (!asked) return;
  const must = (rule: string, got: string) =>
    new UsageError(`'--fault ${formatAsked(asked)}' must ${rule}, got ${got}`);
  if ('part' in asked) {
    if (!plan.switch) throw must('have a plan that switches (--strategy drain-then-shift)', 'one that does not');
    return;
  }
  const { needs } = findFault(asked.name);
  const need = needs && NEEDS[needs];
  if (need && !need.isThere(model, plan)) throw must(need.rule, need.got);
  const isMissing = PHASES_OF_HOOKS.includes(asked.phase) && !hasHookAt(asked.phase, plan);
  if (isMissing) throw must(`have a plan with hooks ${PHASES[asked.phase].when.replace('at a hook ', '')}`, 'none');
  const isOfShift = asked.phase === 'shift' || asked.phase === 'last-shift';
  if (isOfShift && plan.switch) throw must('begin at a phase of the plan', 'a plan that switches and shifts no stage');
}

/** Whether the plan calls one between its steps there. */
function hasHookAt(phase: AskedFault['phase'], { hooks, stages, switch: switching }: Plan): boolean {
  const isFirst = (when: HookTime) => /Preflight$/.test(when) || (when === 'beforeShift' && !switching);
  if (phase === 'first-hook') return hooks.some(({ when }) => isFirst(when));
  const isLater = (when: HookTime) => !isFirst(when) || (when === 'beforeShift' && stages.length > 1);
  return hooks.some(({ when }) => !isUnstoppable(when) && isLater(when));
}

export interface PlannedFaultOfRehearsal extends PlannedFault {
  /** To be told of every state that an execution enters. */
  see(execution: ExecutionDescription): void;
  prepare(signal: AbortSignal): Promise<void>;
}

interface PlannedOn {
  readonly cloud: LocalCloud;
  readonly backends: Backends;
  readonly plan: Plan;
  readonly reporter: ProgressReporter;
}

export function planFault(asked: AnyAsked, { cloud, backends, plan, reporter }: PlannedOn): PlannedFaultOfRehearsal {
  const name = formatAsked(asked);
  const parts: Breakables = { cloud, sides: backends.faulty, stopTraffic: () => planned.stopTraffic() };
  const onBegin = () => reporter.step(`fault ${name} begins: ${describeAsked(asked)}`);
  const injector =
    'part' in asked
      ? new SwitchInjector(asked, parts, onBegin)
      : new FaultInjector(asked, parts, { stages: plan.stages.length, onBegin });
  const planned: PlannedFaultOfRehearsal = {
    name,
    get beganMs() {
      return injector.beganMs;
    },
    stopTraffic: () => undefined,
    see: (execution) => injector.see(execution),
    prepare: async (signal) => ('prepare' in injector ? injector.prepare(signal) : undefined),
    finish: () => ('finish' in injector ? injector.finish() : undefined),
  };
  return planned;
}
