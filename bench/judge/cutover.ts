import { LOOK_SECONDS } from '../../core/plan/looking';
import { RULES, Rule, RuleSetup } from './rules';
import { seededSequence } from './random';
import { Behaviour, Extent, Traffic } from './traffic';

const MINUTES = 60;
/** Before the shift: what fixes the thresholds of latency. */
const PAST_MINUTES = 5;

/** Requests of the target in a minute. */
export const RATES = [20, 200, 1_000] as const;

export interface Row {
  readonly name: string;
  /** 0–1: of all requests the target's. */
  readonly share: number;
  readonly target: Partial<Omit<Behaviour, 'requestsPerMinute'>>;
  readonly extent?: Extent;
  /** How much more often both sides fail from the tenth to the twentieth minute. */
  readonly together?: number;
  /** How slow both sides are together: another one of these each minute. */
  readonly slowTogether?: readonly number[];
  /** Of both sides: see `Behaviour`. */
  readonly stallsPerMinute?: number;
  /** When all of the target stands still for a second: how long after its warm-up. */
  readonly stallAtSeconds?: number;
}

export const HEALTHY: Row = { name: 'healthy', share: 0.05, target: {} };
export const FIVE_FOLD: Row = { name: 'five times the errors', share: 0.05, target: { errorRate: 0.025 } };
/** What is no fault of the target. */
export const DISTURBED: readonly Row[] = [
  { name: 'both sides fail together', share: 0.05, target: {}, together: 20 },
  { name: 'both sides slow together', share: 0.1, target: {}, slowTogether: [0.7, 1, 1.5, 2, 3] },
  { name: 'each task stands still for a second now and then', share: 0.05, target: {}, stallsPerMinute: 0.5 },
  { name: 'the only task of the target stands still once', share: 0.05, target: { tasks: 1 }, stallAtSeconds: 10 },
];
export const WORSE: readonly Row[] = [
  FIVE_FOLD,
  { name: 'a fifth of all requests fail', share: 0.05, target: { errorRate: 0.2 } },
  { name: 'one route of four fails', share: 0.05, target: { errorRate: 0.5 }, extent: 'one route' },
  { name: 'all 1.2 times as slow', share: 0.1, target: { slower: 1.2 } },
  { name: 'all twice as slow', share: 0.1, target: { slower: 2 } },
  { name: '4 % of requests 8 times as slow', share: 0.1, target: { stuck: 0.04 } },
];
export const ROWS: readonly Row[] = [HEALTHY, ...DISTURBED, ...WORSE];
const GOOD = { errorRate: 0.005, slower: 1, stuck: 0, tasks: 2 };
/** The source has more traffic, and tasks for it. */
const SOURCE_TASKS = 8;

/** Some cutovers of one row at one rate. Plain data: a worker is handed it. */
export interface Part {
  readonly row: string;
  readonly requestsPerMinute: number;
  /** The number of its first cutover, which is part of its seed, and how many there are. */
  readonly first: number;
  readonly cutovers: number;
  readonly seed: number;
}

/** By rule: after how many minutes each cutover was rolled back; null where it was not. */
export type Minutes = Readonly<Record<string, readonly (number | null)[]>>;

/** All rules see the same traffic, so that they differ in nothing else. */
export function runPart({ row: name, requestsPerMinute, first, cutovers, seed }: Part): Minutes {
  const row = ROWS.find((each) => each.name === name)!;
  const random = seededSequence(seed, requestsPerMinute * 100 + ROWS.indexOf(row), first);
  const traffic = new Traffic(random, LOOK_SECONDS);
  const all = Array.from({ length: cutovers }, () => runCutover(row, requestsPerMinute, traffic, random));
  return Object.fromEntries(Object.keys(RULES).map((rule) => [rule, all.map((minutes) => minutes.get(rule) ?? null)]));
}

function runCutover(
  row: Row,
  requestsPerMinute: number,
  traffic: Traffic,
  random: () => number,
): ReadonlyMap<string, number> {
  const { share, stallsPerMinute = 0 } = row;
  const good = { ...GOOD, stallsPerMinute };
  const source = { ...good, requestsPerMinute: (requestsPerMinute * (1 - share)) / share, tasks: SOURCE_TASKS };
  const target = { ...good, ...row.target, requestsPerMinute };
  const setup: RuleSetup = {
    past: traffic.past({ ...source, requestsPerMinute: requestsPerMinute / share }, PAST_MINUTES),
    lookSeconds: LOOK_SECONDS,
    minutes: MINUTES,
  };
  const rules = new Map<string, Rule>(Object.entries(RULES).map(([name, create]) => [name, create(setup)]));
  const minutes = new Map<string, number>();
  let now = { errors: 1, slower: 1 };
  for (let at = LOOK_SECONDS; at <= MINUTES * 60 && rules.size > 0; at += LOOK_SECONDS) {
    if (at % 60 === 0) now = findWeather(row, at, random);
    const [s, t] = [source, target].map((side) => withWeather(side, now));
    const pair = traffic.window(s!, { ...t!, isStalled: at === row.stallAtSeconds }, row.extent);
    for (const [name, rule] of rules) {
      if (!rule.look(pair, at)) continue;
      minutes.set(name, at / 60);
      rules.delete(name);
    }
  }
  return minutes;
}

/** What both sides suffer from together: so many times the errors, so many times as slow. */
interface Weather {
  readonly errors: number;
  readonly slower: number;
}

function findWeather({ together = 1, slowTogether = [1] }: Row, at: number, random: () => number): Weather {
  return {
    errors: at >= 600 && at < 1_200 ? together : 1,
    slower: slowTogether[Math.floor(random() * slowTogether.length)]!,
  };
}

function withWeather(side: Behaviour, { errors, slower }: Weather): Behaviour {
  return { ...side, errorRate: Math.min(1, side.errorRate * errors), slower: side.slower * slower };
}
