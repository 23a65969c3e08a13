import { Tally, findExcess, isClearlyOver } from './excess';
import { MAX_FALSE_ALARM_ODDS, weighFieldOdds } from './field-odds';
import { RateOdds, findOdds } from '../judge/rate-odds';
import type { CompareOptions } from './options';
import type { FieldState, RouteState } from './route-state';
import { CompareReport, FINDINGS, FieldReport, Finding, REPORT_VERSION, RouteReport } from './compare-report';
import { judgeComparison } from './verdict';

/** JSON has no infinity. */
const MAX_SHOWN_ODDS = 1e12;

export function reportComparison(
  states: readonly RouteState[],
  names: ReadonlyMap<string, RateOdds>,
  options: CompareOptions,
): CompareReport {
  const routes = states.map((state) => reportRoute(state, options)).sort(byGravity);
  const totals = {
    comparisons: sum(states.map(({ all }) => all.comparisons)),
    whole: sum(states.map(({ whole }) => whole)),
    repeats: sum(states.map(({ all }) => all.repeats)),
    differ: sum(states.map(({ differ }) => differ)),
  };
  const shared = reportShared(routes, names, options);
  return {
    version: REPORT_VERSION,
    ...judgeComparison({ ...totals, routes, shared }, options),
    tolerance: options.tolerance,
    noiseTolerance: options.noiseTolerance,
    ...totals,
    shared,
    routes,
  };
}

function reportRoute({ route, all, differ, fields }: RouteState, options: CompareOptions): RouteReport {
  const reports = [...fields.values()].map((field) => reportField(field, all, options));
  return { route, comparisons: all.comparisons, repeats: all.repeats, differ, fields: reports.sort(byFinding) };
}

function reportField(state: FieldState, all: RouteState['all'], options: CompareOptions): FieldReport {
  const { field, hits, odds, kinds, examples } = state;
  const repeats: Tally = { compared: all.repeats, differ: hits.repeats };
  const comparisons: Tally = { compared: all.comparisons, differ: hits.comparisons };
  const isSure = weighFieldOdds(odds, 'field') >= MAX_FALSE_ALARM_ODDS;
  return {
    field,
    finding: state.isIgnored ? 'ignored' : findFinding(repeats, comparisons, isSure, options),
    ...describeTallies(repeats, comparisons, odds),
    kinds: Object.fromEntries(kinds),
    examples,
  };
}

function describeTallies(repeats: Tally, comparisons: Tally, odds: RateOdds) {
  const { low, high } = findExcess(repeats, comparisons);
  return {
    repeats,
    comparisons,
    excess: { low: round(low), high: round(high) },
    odds: round(Math.min(MAX_SHOWN_ODDS, findOdds(odds))),
  };
}

/** With fewer it may be a stray. */
const MIN_SUSPECT = 3;

function findFinding(repeats: Tally, comparisons: Tally, isSure: boolean, { tolerance }: CompareOptions): Finding {
  if (comparisons.differ === 0) return 'noise';
  if (isSure) return findExcess(repeats, comparisons).low > tolerance ? 'differs' : 'tolerated';
  if (repeats.compared === 0) return 'unrepeated';
  const isSuspect = comparisons.differ >= MIN_SUSPECT && isClearlyOver(repeats, comparisons, tolerance);
  if (isSuspect) return 'suspect';
  return repeats.differ === 0 ? 'rare' : 'noise';
}

/** Fields that differ over all routes and beyond noise in none of them. */
function reportShared(
  routes: readonly RouteReport[],
  names: ReadonlyMap<string, RateOdds>,
  options: CompareOptions,
): FieldReport[] {
  const sure = [...names].filter(([, odds]) => weighFieldOdds(odds, 'name') >= MAX_FALSE_ALARM_ODDS);
  return sure.flatMap(([field, odds]) => {
    const parts = routes.flatMap(({ fields }) =>
      fields.filter((each) => each.field === field && each.finding !== 'ignored' && each.repeats.compared > 0),
    );
    if (parts.some(({ finding }) => finding === 'differs')) return [];
    const repeats = addTallies(parts.map((part) => part.repeats));
    const comparisons = addTallies(parts.map((part) => part.comparisons));
    return [
      {
        field,
        finding: findFinding(repeats, comparisons, true, options),
        ...describeTallies(repeats, comparisons, odds),
        kinds: {},
        examples: parts.flatMap(({ examples }) => examples).slice(0, 3),
      },
    ];
  });
}

function addTallies(tallies: readonly Tally[]): Tally {
  return {
    compared: sum(tallies.map(({ compared }) => compared)),
    differ: sum(tallies.map(({ differ }) => differ)),
  };
}

function byFinding(one: FieldReport, other: FieldReport): number {
  const rank = FINDINGS.indexOf(one.finding) - FINDINGS.indexOf(other.finding);
  return rank || other.comparisons.differ - one.comparisons.differ || compareTexts(one.field, other.field);
}

function byGravity(one: RouteReport, other: RouteReport): number {
  const rank = ({ fields }: RouteReport) => FINDINGS.indexOf(fields[0]?.finding ?? 'ignored');
  return rank(one) - rank(other) || other.comparisons - one.comparisons || compareTexts(one.route, other.route);
}

function compareTexts(one: string, other: string): number {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

function round(number: number): number {
  return Number(number.toPrecision(4));
}
