import { bucketEndMs } from '../../../core/proxy/latency-buckets';
import { SIDES, Side, Weights } from '../../../core/traffic/weights';
import type { Counts, Cutover } from './read';
import { readWeights } from './read';

/** So many steps are drawn of each line; a cutover of days has a hundred thousand looks. */
const MAX_STEPS = 240;
/** Fewer responses say nothing of the slowest hundredth of them. */
const MIN_LATENCIES = 100;
const QUANTILES = { half: 0.5, most: 0.99 } as const;

/** What some looks in a row counted, one after the other. */
export interface Figures {
  /** Milliseconds since the epoch. */
  readonly fromMs: number;
  readonly toMs: number;
  readonly looks: number;
  /** Since the look before that could read both sides; absent where none of these could: that is unknown, and not zero. */
  readonly counted: Readonly<Record<Side, Counts>> | undefined;
  /** The highest after any of these looks. */
  readonly odds: number | undefined;
}

const NO_REQUESTS: Counts = { requests: 0, responded: 0, errors: 0 };

const add = (a: Counts, b: Counts): Counts => ({
  requests: a.requests + b.requests,
  responded: a.responded + b.responded,
  errors: a.errors + b.errors,
});

/** Counts only grow, but for smoke requests that were taken for a moment later than they were counted. */
const subtract = (a: Counts, b: Counts): Counts => ({
  requests: a.requests - b.requests,
  responded: a.responded - b.responded,
  errors: a.errors - b.errors,
});

/** What each look has found since the last one that could read both sides, or since the first shift. */
export function listLooks({ polls, shiftedMs }: Pick<Cutover, 'polls' | 'shiftedMs'>): Figures[] {
  let before = { atMs: shiftedMs, source: NO_REQUESTS, target: NO_REQUESTS };
  return polls.map(({ atMs, counts, odds }): Figures => {
    const fromMs = Math.min(atMs, before.atMs ?? atMs);
    if (!counts) return { fromMs, toMs: atMs, looks: 1, counted: undefined, odds };
    const { source, target } = counts;
    const counted = { source: subtract(source, before.source), target: subtract(target, before.target) };
    before = { atMs, ...counts };
    return { fromMs, toMs: atMs, looks: 1, counted, odds };
  });
}

/** A rate over less is restless: a stage begins with two looks a few milliseconds apart. */
const MIN_STEP_MS = 1_000;

/** The looks in their order, as many together as `MAX_STEPS` asks for: nothing is left out of the sums. */
export function findFigures(cutover: Pick<Cutover, 'polls' | 'shiftedMs'>): Figures[] {
  const looks = listLooks(cutover);
  const each = Math.ceil(looks.length / MAX_STEPS);
  const groups: Figures[][] = [];
  for (const look of looks) {
    const last = groups.at(-1);
    const isShort = last && last.at(-1)!.toMs - last[0]!.fromMs < MIN_STEP_MS;
    if (last && (last.length < each || isShort)) last.push(look);
    else groups.push([look]);
  }
  return groups.map(mergeLooks);
}

function mergeLooks(looks: readonly Figures[]): Figures {
  const { source, target } = sumFigures(looks);
  const read = looks.filter(({ counted }) => counted !== undefined);
  const odds = looks.flatMap((look) => look.odds ?? []);
  // What no look of these could read is in the next one that can.
  const [first, last] = [(read[0] ?? looks[0])!, (read.at(-1) ?? looks.at(-1))!];
  return {
    fromMs: first.fromMs,
    toMs: last.toMs,
    looks: looks.length,
    counted: read.length > 0 ? { source, target } : undefined,
    odds: odds.length > 0 ? Math.max(...odds) : undefined,
  };
}

/** What both sides counted in all looks together. */
export function sumFigures(figures: readonly Figures[]): Record<Side, Counts> {
  const sum = (side: Side) =>
    figures.reduce((all, { counted }) => (counted ? add(all, counted[side]) : all), NO_REQUESTS);
  return { source: sum('source'), target: sum('target') };
}

/** How long the responses of one side took, over as many looks as had enough of them. */
export interface Latency {
  readonly fromMs: number;
  readonly toMs: number;
  readonly responses: number;
  /** Half of them took at most so long, and 99 of 100. Milliseconds; Infinity beyond the last bucket. */
  readonly half: number;
  readonly most: number;
}

export function findLatencies({ polls, fromMs, toMs }: Cutover, side: Side): Latency[] {
  const minMs = (toMs - fromMs) / MAX_STEPS;
  const found: Latency[] = [];
  let open: { fromMs: number; counts: number[]; total: number } | undefined;
  for (const { after, until, windows } of polls) {
    if (!windows || until <= after) continue;
    open ??= { fromMs: after * 1000, counts: [], total: 0 };
    for (const [bucket, count] of windows[side].latencies.entries()) {
      open.counts[bucket] = (open.counts[bucket] ?? 0) + count;
      open.total += count;
    }
    if (open.total < MIN_LATENCIES || until * 1000 - open.fromMs < minMs) continue;
    found.push({
      fromMs: open.fromMs,
      toMs: until * 1000,
      responses: open.total,
      half: findEnd(open.counts, open.total * QUANTILES.half),
      most: findEnd(open.counts, open.total * QUANTILES.most),
    });
    open = undefined;
  }
  return found;
}

/** The end of the bucket that so many responses did not exceed. */
function findEnd(counts: readonly number[], part: number): number {
  let sum = 0;
  for (const [bucket, count] of counts.entries()) {
    sum += count ?? 0;
    if (sum >= part) return bucketEndMs(bucket);
  }
  return Infinity;
}

export interface WeightStep {
  readonly fromMs: number;
  readonly toMs: number;
  readonly weights: Weights;
}

/** The weights as the cutover set them. */
export function findWeightSteps({ entries, initialWeights, fromMs, toMs }: Cutover): WeightStep[] {
  const changes = entries
    .flatMap(({ atMs, detail }) => {
      const weights = readWeights(detail['weights']);
      return weights ? [{ atMs, weights }] : [];
    })
    .sort((a, b) => a.atMs - b.atMs);
  const all = initialWeights ? [{ atMs: fromMs, weights: initialWeights }, ...changes] : changes;
  const steps: WeightStep[] = [];
  for (const [index, { atMs, weights }] of all.entries()) {
    const last = steps.at(-1);
    const endMs = all[index + 1]?.atMs ?? toMs;
    const isSame = last?.weights.source === weights.source && last.weights.target === weights.target;
    if (last && isSame) steps[steps.length - 1] = { ...last, toMs: endMs };
    else steps.push({ fromMs: atMs, toMs: endMs, weights });
  }
  return steps;
}

export interface RouteSums {
  readonly route: string;
  readonly sides: Readonly<Record<Side, Counts>>;
}

/** What came of each route class in all looks together, also of those that no request came of. */
export function sumRoutes({ polls, begin }: Cutover): RouteSums[] {
  const sums = new Map<string, Record<Side, Counts>>();
  for (const route of begin?.routes ?? []) sums.set(route, { source: NO_REQUESTS, target: NO_REQUESTS });
  for (const poll of polls) {
    for (const side of SIDES) {
      for (const [route, counted] of Object.entries(poll.routes[side])) {
        const before = sums.get(route) ?? { source: NO_REQUESTS, target: NO_REQUESTS };
        sums.set(route, { ...before, [side]: add(before[side], counted) });
      }
    }
  }
  return [...sums].map(([route, sides]) => ({ route, sides }));
}
