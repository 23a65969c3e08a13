import type { Side, Weights } from '../traffic/weights';
import type { FieldValues, Fields, ObjectField } from '../validation/fields';
import type { Problems } from '../validation/problems';
import { findDirection } from './direction';

/** All steps of a rollback together, and its wait for targets: the state machine rolls back for minutes, and not for hours. */
export const MAX_PACE_SECONDS = 240;

/** From the least careful one to the most. */
export const CAPACITIES = ['ignore', 'wait', 'scaleOut'] as const;

const PACE_FIELDS = {
  steps: {
    kind: 'integers',
    min: 1,
    max: 99,
    default: [],
    sentence:
      'The percentage of new clients that the side that was left has after each step, ascending. The initial weights follow as the last step. Without any it has them at once.',
  },
  lookSeconds: {
    kind: 'seconds',
    min: 1,
    max: MAX_PACE_SECONDS - 1,
    default: 20,
    unit: 's',
    sentence: 'How long the side that was left must serve at a step before the next one.',
  },
  capacity: {
    kind: 'choice',
    values: CAPACITIES,
    default: 'ignore',
    sentence:
      'What happens when the side that was left has too few healthy targets for the first step: nothing (`ignore`), it waits for them (`wait`), or also raises the desired count of the ECS service (`scaleOut`).',
  },
  minimumHealthyTargets: {
    kind: 'integer',
    min: 0,
    max: 1000,
    default: 0,
    unit: 'targets',
    sentence: 'How many healthy targets the side that was left needs. 0: as many as at preflight.',
  },
  waitSeconds: {
    kind: 'seconds',
    min: 1,
    max: MAX_PACE_SECONDS - 1,
    default: 60,
    unit: 's',
    sentence: 'How long it waits for them. Then it goes on, and says so.',
  },
} as const satisfies Fields;

export const PACE_FIELD = {
  kind: 'object',
  sentence: `How a rollback gives traffic to a side that has been without it. A side that serves nothing is left at once. All steps and the wait take less than ${MAX_PACE_SECONDS} s together.`,
  fields: PACE_FIELDS,
} as const satisfies ObjectField;

export type RollbackPace = FieldValues<typeof PACE_FIELDS>;

/** Whether a rollback may take longer than one change of the weights. */
export function isPaced(pace: RollbackPace | undefined): pace is RollbackPace {
  return pace !== undefined && (pace.steps.length > 0 || pace.capacity !== 'ignore');
}

/** How long the pace holds a rollback up, at the most. */
export function measurePace({ steps, lookSeconds, capacity, waitSeconds }: RollbackPace): number {
  return steps.length * lookSeconds + (capacity === 'ignore' ? 0 : waitSeconds);
}

/** The percentage of new clients that a side has with these weights. */
export function findPercent(weights: Weights, side: Side): number {
  return (100 * weights[side]) / (weights.source + weights.target);
}

/** The weights of a step, in percent. */
export function paceWeights(percent: number, side: Side): Weights {
  return side === 'source' ? { source: percent, target: 100 - percent } : { source: 100 - percent, target: percent };
}

interface Paced {
  readonly strategy: string;
  readonly from: Side;
  readonly initialWeights: Weights;
  readonly rollbackPace: RollbackPace;
}

export function checkPace({ strategy, from, initialWeights, rollbackPace }: Paced, problems: Problems): void {
  if (!isPaced(rollbackPace)) return;
  const { steps } = rollbackPace;
  if (strategy === 'drainThenShift') {
    problems.add('rollbackPace', "absent unless 'strategy' is gradual: a switch moves all at once", rollbackPace);
    return;
  }
  if (steps.some((step, index) => index > 0 && step <= steps[index - 1]!)) {
    problems.add('rollbackPace.steps', 'ascending', steps);
  }
  const end = findPercent(initialWeights, findDirection({ from }).from);
  if (steps.some((step) => step >= end)) {
    const rule = `percentages below the ${Math.round(end * 10) / 10} % of the initial weights, which follow by themselves`;
    problems.add('rollbackPace.steps', rule, steps);
  }
  const seconds = measurePace(rollbackPace);
  if (seconds >= MAX_PACE_SECONDS) {
    problems.add('rollbackPace', `done in less than ${MAX_PACE_SECONDS} s, its steps and its wait together`, seconds);
  }
}
