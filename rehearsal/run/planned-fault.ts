import type { Plan } from '../../core/plan/plan';
import type { Backends } from '../backend/backends';
import type { LocalCloud } from '../cloud/local-cloud';
import type { PlannedFault } from '../cloud/running-rehearsal';
import { UsageError } from '../errors/usage-error';
import { formatAsked } from '../faults/describe';
import { FaultInjector } from '../faults/injector';
import { findFault, type AskedFault } from '../faults/table';
import type { ProgressReporter } from '../progress/progress-reporter';
import type { ExecutionDescription } from '../state-machine/model';
import { watchedAlarms } from '../template/model/outputs';
import type { StackModel } from '../template/model/stack-model';

/** @throws UsageError for a fault that has nothing to work on */
export function checkFault({ machine }: StackModel, plan: Plan, asked: AskedFault | undefined): void {
  if (!asked) return;
  if (findFault(asked.name).needs === 'alarm' && watchedAlarms(machine).length === 0) {
    throw new UsageError(`'--fault ${asked.name}' must have an alarm that the cutover watches, got none`);
  }
  const isOfShift = asked.phase === 'shift' || asked.phase === 'last-shift';
  if (isOfShift && plan.switch) {
    throw new UsageError(
      `'--fault ${formatAsked(asked)}' must begin at a phase of the plan, got a plan that switches and shifts no stage`,
    );
  }
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

export function planFault(asked: AskedFault, { cloud, backends, plan, reporter }: PlannedOn): PlannedFaultOfRehearsal {
  const parts = { cloud, sides: backends.faulty, stopTraffic: () => planned.stopTraffic() };
  const name = formatAsked(asked);
  const injector = new FaultInjector(asked, parts, {
    stages: plan.stages.length,
    onBegin: () => reporter.step(`fault ${name} begins: ${findFault(asked.name).does}`),
  });
  const planned: PlannedFaultOfRehearsal = {
    name,
    get beganMs() {
      return injector.beganMs;
    },
    stopTraffic: () => undefined,
    see: (execution) => injector.see(execution),
    prepare: (signal) => injector.prepare(signal),
    finish: () => injector.finish(),
  };
  return planned;
}
