import { HOLD_RULES_VARIABLE } from '../../core/cutover/cutover-config';
import { SWITCH_FIELDS } from '../../core/plan/switch-plan';
import { DRY_RUN_SECONDS, HoldDryRun } from '../../core/cutover/hold-dry-run';
import { readFields } from '../../core/validation/fields';
import { Problems } from '../../core/validation/problems';
import type { Ports } from '../contract/ports';
import { dryRunHold } from '../shared/hold-dry-run';
import { createHandler } from '../shared/step';

/** What a person's command asks for. */
export interface HoldDryRunCall {
  readonly seconds: number;
}

/** `rejection`: why nothing was counted. */
export type HoldDryRunResult = HoldDryRun | { readonly rejection: string };

const { maxPauseMs, maxWaiting } = SWITCH_FIELDS;

/**
 * A dry run of a hold at every proxy task: nothing waits, and what would wait is counted. A function of its own beside that
 * which undrains: who may count need not be allowed to change what the proxies do.
 */
export async function holdDryRun({ seconds }: HoldDryRunCall, ports: Ports): Promise<HoldDryRunResult> {
  const { min, max } = DRY_RUN_SECONDS;
  if (!Number.isInteger(seconds) || seconds < min || seconds > max) {
    throw new Error(`'seconds' must be an integer from ${min} to ${max}, got ${JSON.stringify(seconds)}`);
  }
  const { switching, epoch } = (await ports.switches.readRegime()).regime;
  if (switching) {
    const { to, execution } = switching;
    return {
      rejection: `no switch must be under way for a dry run, got that of '${execution}' to the ${to} (epoch ${epoch})`,
    };
  }
  const planned = process.env[HOLD_RULES_VARIABLE];
  const problems = new Problems();
  const rules = readFields(problems, 'switch', JSON.parse(planned ?? '{}'), { maxPauseMs, maxWaiting });
  problems.throwIfAny('PlanInvalid');
  const tasks = await dryRunHold(seconds, rules, ports);
  if (tasks.length === 0) return { rejection: 'a proxy task must run for a dry run, got none' };
  return { seconds, rules, isPlanned: planned !== undefined, tasks };
}

export const handler = createHandler(holdDryRun);
