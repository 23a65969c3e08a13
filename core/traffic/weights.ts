import { ObjectField, readField } from '../validation/fields';
import type { Problems } from '../validation/problems';

/** Which backend a thing belongs to: `source` serves before a migration, `target` after it. */
export type Side = 'source' | 'target';

export const SIDES: readonly Side[] = ['source', 'target'];

/**
 * The relative weights of the two sides, as an ALB forward action takes them: integers 0–999, no rule on their sum.
 *
 * @see https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-listeners.html
 */
export interface Weights {
  readonly source: number;
  readonly target: number;
}

export const MAX_WEIGHT = 999;

export function isWeight(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= MAX_WEIGHT;
}

export const WEIGHTS_FIELD = {
  kind: 'object',
  sentence: 'The relative weights of the two sides; at least one is above 0.',
  fields: {
    source: { kind: 'integer', min: 0, max: MAX_WEIGHT, sentence: 'The weight of the source.' },
    target: { kind: 'integer', min: 0, max: MAX_WEIGHT, sentence: 'The weight of the target.' },
  },
  check: (problems, name, { source, target }) => {
    if (source === 0 && target === 0) problems.add(name, 'weights of which at least one is above 0', '0/0');
  },
  schema: { anyOf: SIDES.map((side) => ({ properties: { [side]: { minimum: 1 } } })) },
} as const satisfies ObjectField;

/** Weights from outside; what is wrong with them goes to `problems`. */
export function readWeights(problems: Problems, name: string, value: unknown): Weights {
  return readField(problems, name, value, WEIGHTS_FIELD);
}

/** Whether two weights share requests out alike: weights are relative, so 1/0 is 100/0. */
export function sameQuotas(a: Weights, b: Weights): boolean {
  return a.source * b.target === b.source * a.target && a.source > 0 === b.source > 0;
}

/** `90/10`: source first, as people say it. */
export function formatWeights(weights: Weights): string {
  return `${weights.source}/${weights.target}`;
}
