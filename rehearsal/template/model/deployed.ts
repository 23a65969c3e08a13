import type { CheckedAlarms } from '../../../core/judge/alarm-check';
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
