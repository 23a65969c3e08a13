import { parseDuration } from '../validation/duration';
import type { ListField } from '../validation/fields';
import type { Problems } from '../validation/problems';
import { WEIGHTS_FIELD, Weights } from '../traffic/weights';

/** One step of a plan: set these weights, then watch for this long. */
export interface Stage {
  readonly weights: Weights;
  /** At least. */
  readonly bakeSeconds: number;
  /** At the most, where the target has not yet been proven. @default twice `bakeSeconds` */
  readonly maximumBakeSeconds?: number | undefined;
}

export const DEFAULT_STAGES: readonly Stage[] = [
  { weights: { source: 90, target: 10 }, bakeSeconds: 300 },
  { weights: { source: 50, target: 50 }, bakeSeconds: 300 },
  { weights: { source: 10, target: 90 }, bakeSeconds: 300 },
  { weights: { source: 0, target: 100 }, bakeSeconds: 300 },
];

const MAX_STAGES = 50;
const WEEK = 604_800;
/** Of a bake at its maximum. */
export const MAX_BAKE_SECONDS = 2 * WEEK;
/** Of a bake whose stage does not say its maximum. */
const DEFAULT_MAXIMUM = 2;

/** A bake that has seen too little goes on, at the most for this long. */
export function findMaximumBake({ bakeSeconds, maximumBakeSeconds }: Stage): number {
  return maximumBakeSeconds ?? bakeSeconds * DEFAULT_MAXIMUM;
}

/** `canary(5, 10m)` and `linear(10, 6m)`: a percentage, and a bake in seconds or as a duration. */
const SHORTHAND_PATTERN = `^ *(canary|linear)\\( *([0-9]+([.][0-9])?) *, *['"]?([0-9]+|(?=[0-9])([0-9]+h)?([0-9]+m)?([0-9]+s)?)['"]? *\\) *$`;
const SHORTHAND = new RegExp(SHORTHAND_PATTERN);

interface Shorthand {
  readonly min: number;
  readonly max: number;
  /** The shares of the side that gets the traffic before it gets all of it, in percent. */
  list(percent: number): readonly number[];
}

const SHORTHANDS: Readonly<Record<'canary' | 'linear', Shorthand>> = {
  canary: { min: 0.1, max: 99.9, list: (percent) => [percent] },
  linear: {
    min: 100 / MAX_STAGES,
    max: 99.9,
    // In tenths, which add up.
    list: (percent) =>
      Array.from({ length: Math.ceil(100 / percent) - 1 }, (_, n) => (Math.round(percent * 10) * (n + 1)) / 10),
  },
};

/**
 * The stages of a shorthand, from the source to the target: `canary` has one with the percentage and one with everything, `linear`
 * one for each further percentage. Each bakes equally long.
 *
 * @returns what was given when it is no text of this form; undefined when a number in it is out of bounds
 */
export function expandStages(name: string, value: unknown, problems: Problems): unknown {
  const found = typeof value === 'string' ? SHORTHAND.exec(value) : null;
  if (!found) return value;
  const word = found[1] as keyof typeof SHORTHANDS;
  const { min, max, list } = SHORTHANDS[word];
  const percent = Number(found[2]);
  const bake = found[4] ?? '';
  const bakeSeconds = /^[0-9]+$/.test(bake) ? Number(bake) : parseDuration(bake);
  const rule = `${word}(PERCENT, BAKE) with`;
  if (percent < min || percent > max) {
    problems.add(name, `${rule} a percentage from ${min} to ${max}`, value);
    return undefined;
  }
  if (bakeSeconds === undefined || bakeSeconds < 1 || bakeSeconds > WEEK) {
    problems.add(
      name,
      `${rule} a bake from 1 to ${WEEK} seconds, as a number or as a duration (90s, 5m, 1h30m)`,
      value,
    );
    return undefined;
  }
  return [...list(percent), 100].map((share) => ({ weights: giveShare(share), bakeSeconds }));
}

/** Weights are integers: a tenth of a percent is one of a thousand. */
function giveShare(percent: number): Weights {
  const whole = Number.isInteger(percent) ? 100 : 1000;
  const target = Math.round((percent * whole) / 100);
  return { source: whole - target, target };
}

export const STAGES_FIELD = {
  kind: 'list',
  min: 1,
  max: MAX_STAGES,
  rule: `a list of 1 to ${MAX_STAGES} stages, canary(PERCENT, BAKE) or linear(PERCENT, BAKE)`,
  text: SHORTHAND_PATTERN,
  default: DEFAULT_STAGES,
  sentence:
    'The steps of the shift, in their order; the last one leaves the side in `from` without weight. With `from: target` they are exchanged in the default and in the shorthands: `canary(5, 10m)` gives 5 %, then everything; `linear(10, 6m)` gives 10 % more at each step. Each step bakes so long.',
  item: {
    kind: 'object',
    sentence: 'One step: set the weights, then watch.',
    fields: {
      weights: { ...WEIGHTS_FIELD, sentence: 'The weights of the stage.' },
      bakeSeconds: {
        kind: 'seconds',
        min: 1,
        max: WEEK,
        default: 300,
        unit: 's',
        sentence: 'How long both sides are watched before the next stage, at least.',
      },
      maximumBakeSeconds: {
        kind: 'seconds',
        min: 1,
        max: MAX_BAKE_SECONDS,
        isOptional: true,
        unit: 's',
        sentence:
          'How long they are watched at the most, where the side that gets the traffic has not been proven by then. Without it twice `bakeSeconds`.',
      },
    },
  },
  check: (problems, name, stages: readonly Stage[]) => {
    stages.forEach(({ bakeSeconds, maximumBakeSeconds = bakeSeconds }, index) => {
      const isRead = ['bakeSeconds', 'maximumBakeSeconds'].every(
        (key) => !problems.isAbout(`${name}[${index}].${key}`),
      );
      if (maximumBakeSeconds >= bakeSeconds || !isRead) return;
      const rule = `at least ${bakeSeconds}, the 'bakeSeconds' of the stage`;
      problems.add(`${name}[${index}].maximumBakeSeconds`, rule, maximumBakeSeconds);
    });
  },
} as const satisfies ListField;
