import type { CheckedAlarms } from '../../../core/judge/alarm-check';
import type { Plan } from '../../../core/plan/plan';
import type { MachineDescription } from '../../state-machine/model';

/** What the definition of a cutover's state machine gives to its first step. */
export interface Deployed {
  readonly defaultPlan?: unknown;
  readonly alarms?: CheckedAlarms;
}

/** @returns the definition, and what is in it: to be read, or changed before it is written again */
export function deployedIn(machine: MachineDescription): { readonly definition: object; readonly deployed: Deployed } {
  const definition = JSON.parse(machine.definition) as {
    readonly States?: Readonly<Record<string, { readonly Parameters?: { readonly Payload?: Deployed } }>>;
  };
  const payloads = Object.values(definition.States ?? {}).map(({ Parameters }) => Parameters?.Payload);
  return { definition, deployed: payloads.find((payload) => payload?.defaultPlan !== undefined) ?? {} };
}

/**
 * The machine with another deployed plan: what a rehearsal runs is the floor of what an execution may ask for, and its
 * shortened waiting must not fall under it.
 */
export function withPlan(machine: MachineDescription, plan: Plan): MachineDescription {
  const { definition, deployed } = deployedIn(machine);
  if (deployed.defaultPlan !== undefined) Object.assign(deployed, { defaultPlan: plan });
  return { ...machine, definition: JSON.stringify(definition) };
}
