import { FIVE_FOLD, HEALTHY, RATES } from './cutover';
import { Figures, describeTime } from './figures';

/** What one aim came to, in words. */
export interface AimResult {
  readonly isMet: boolean;
  readonly text: string;
}

const OURS = 'drainshift';
const EXACT = 'drainshift, no latency tolerated';
/** 0–1: of all healthy cutovers together. */
const MAX_FALSE = 0.01;

interface Aim {
  readonly row: string;
  readonly rule: string;
  /** Of each of `RATES`, in its order: the median may be so long. Minutes. */
  readonly minutes: readonly number[];
  /** Those of latency are given to a tenth of a minute, and compared so. */
  readonly slack: number;
}

const TENTH = 0.05;
const AIMS: readonly Aim[] = [
  { row: FIVE_FOLD.name, rule: OURS, minutes: [15, 2, 0.5], slack: 0 },
  { row: 'all 1.2 times as slow', rule: EXACT, minutes: [15, 1.8, 0.3], slack: TENTH },
  { row: 'all twice as slow', rule: EXACT, minutes: [1.1, 0.2, 0.1], slack: TENTH },
  { row: '4 % of requests 8 times as slow', rule: EXACT, minutes: [24, 1.7, 0.4], slack: TENTH },
];
const NOT_FALSE = [HEALTHY.name, 'both sides fail together', 'both sides slow together'] as const;

/** Each aim against the figures. */
export function checkAims(figures: readonly Figures[]): AimResult[] {
  return [
    ...NOT_FALSE.flatMap((row) => [OURS, EXACT].map((rule) => checkFalse(figures, row, rule))),
    ...AIMS.flatMap((aim) => RATES.map((rate, index) => checkTime(figures, aim, rate, aim.minutes[index]!))),
  ];
}

function checkFalse(figures: readonly Figures[], row: string, rule: string): AimResult {
  const found = figures.filter((each) => each.row === row && each.rule === rule);
  const sum = (name: 'rolledBack' | 'cutovers') => found.reduce((total, each) => total + each[name], 0);
  const [rolledBack, cutovers] = [sum('rolledBack'), sum('cutovers')];
  return {
    isMet: rolledBack <= MAX_FALSE * cutovers,
    text: `${row}, ${rule}: at most ${MAX_FALSE * 100} % rolled back at all rates together, got ${rolledBack} of ${cutovers}`,
  };
}

function checkTime(figures: readonly Figures[], { row, rule, slack }: Aim, rate: number, minutes: number): AimResult {
  const found = figures.find(
    (each) => each.row === row && each.rule === rule && each.requestsPerMinute === rate,
  )?.medianMinutes;
  return {
    isMet: found !== undefined && found < minutes + slack + 1e-9,
    text: `${row}, ${rule}, at ${rate} requests a minute: a median of at most ${minutes} min, got ${describeTime(found)}`,
  };
}
