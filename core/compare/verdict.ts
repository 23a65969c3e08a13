import { wilsonUpperBound } from '../judge/wilson';
import { formatOdds } from '../judge/odds';
import { requestsToProve } from '../plan/judge-plan';
import type { CompareOptions } from './options';
import type { CompareReport, Excluded, FieldReport, Judged, RouteReport } from './compare-report';

type Compared = Pick<CompareReport, 'comparisons' | 'whole' | 'repeats' | 'routes' | 'shared'>;

/** More of them tell a person nothing. */
const MAX_LINES = 10;

/**
 * `roll back` when a field differs beyond noise. `promote` when none does, and what could have stayed unseen is within the tolerances;
 * else `inconclusive`, with what is missing.
 */
export function judgeComparison(compared: Compared, options: CompareOptions): Judged {
  const excluded = findExcluded(compared);
  const differing = listFields(compared).filter(({ field }) => field.finding === 'differs');
  if (differing.length > 0) {
    const sorted = differing.sort((a, b) => b.field.excess.low - a.field.excess.low);
    return { verdict: 'roll back', because: cut(sorted.map(({ where, field }) => describe(where, field))), excluded };
  }
  const missing = findMissing(compared, excluded, options);
  if (missing.length > 0) return { verdict: 'inconclusive', because: cut(missing), excluded };
  return { verdict: 'promote', because: describeClean(compared, excluded), excluded };
}

interface PlacedField {
  readonly where: string;
  readonly field: FieldReport;
}

function listFields({ routes, shared }: Compared): PlacedField[] {
  const ofRoutes = routes.flatMap(({ route, fields }) => fields.map((field) => ({ where: route, field })));
  return [...ofRoutes, ...shared.map((field) => ({ where: 'all routes', field }))];
}

function findExcluded({ routes, comparisons, whole }: Compared): Excluded {
  if (comparisons === 0) return { quiet: 1, noisy: 1 };
  const unexplained = routes.reduce((total, route) => total + countUnexplained(route), 0);
  const hidden = routes.flatMap((route) =>
    route.fields.filter(isNoisy).map(({ excess }) => (route.comparisons / comparisons) * Math.max(0, excess.high)),
  );
  return {
    // What was cut proves nothing; what differs in it counts.
    quiet: round(whole === 0 ? 1 : wilsonUpperBound(Math.min(unexplained, whole), whole)),
    noisy: round(hidden.reduce((most, part) => Math.max(most, part), 0)),
  };
}

/** A response that differs in two fields counts twice: that errs on the side of caution. */
function countUnexplained({ fields, comparisons }: RouteReport): number {
  const hits = fields.filter((field) => field.finding !== 'ignored' && field.repeats.differ === 0);
  return Math.min(
    comparisons,
    hits.reduce((total, field) => total + field.comparisons.differ, 0),
  );
}

function isNoisy({ finding, repeats }: FieldReport): boolean {
  return finding !== 'ignored' && repeats.differ > 0;
}

function findMissing(compared: Compared, excluded: Excluded, options: CompareOptions): string[] {
  const { whole } = compared;
  const missing: string[] = [];
  const enough = requestsToProve(options.tolerance);
  if (whole < enough) {
    missing.push(
      `at least ${count(enough)} comparisons must exclude a change in ${percent(options.tolerance)} of the responses, got ${count(whole)}`,
    );
  }
  const fields = listFields(compared);
  for (const { where, field } of fields.filter(({ field: { finding } }) => finding === 'suspect')) {
    missing.push(`${describe(where, field)}; more repeats must say whether that is noise`);
  }
  const unexplained = fields.filter(({ field: { finding } }) => finding === 'unrepeated' || finding === 'rare');
  if (whole >= enough && excluded.quiet > options.tolerance) {
    const [first] = unexplained.sort((a, b) => b.field.comparisons.differ - a.field.comparisons.differ);
    const most = first ? `: ${describe(first.where, first.field)}` : '';
    missing.push(
      `at most ${percent(options.tolerance)} of the responses may differ in fields that are not noisy, ` +
        `got up to ${percent(excluded.quiet)} with 95 % confidence${most}`,
    );
  }
  if (excluded.noisy > options.noiseTolerance) {
    missing.push(
      `a change in ${percent(options.noiseTolerance)} of the responses must be excluded in noisy fields, ` +
        `got ${percent(excluded.noisy)}: more repeats are needed, ${count(compared.repeats)} were made`,
    );
  }
  return missing;
}

function describe(where: string, { field, comparisons, repeats, odds, finding }: FieldReport): string {
  const seen = `${where} ${field}: the target differs in ${count(comparisons.differ)} of ${count(comparisons.compared)} responses`;
  if (repeats.compared === 0) return `${seen}, and no request was repeated on the source`;
  const itself = `${seen}, the source from itself in ${count(repeats.differ)} of ${count(repeats.compared)}`;
  return finding === 'differs' ? `${itself}; odds of ${formatOdds(odds)} against noise` : itself;
}

function describeClean({ comparisons, repeats, routes }: Compared, excluded: Excluded): string[] {
  const hasNoise = routes.some(({ fields }) => fields.some(isNoisy));
  return [
    `no field differs beyond noise in ${count(comparisons)} comparisons and ${count(repeats)} repeats`,
    `a change in more than ${percent(excluded.quiet)} of the responses is excluded with 95 % confidence` +
      (hasNoise ? `, in noisy fields one in more than ${percent(excluded.noisy)}` : ''),
  ];
}

function cut(lines: readonly string[]): string[] {
  const more = lines.length - MAX_LINES;
  return [...lines.slice(0, MAX_LINES), ...(more > 0 ? [`and ${count(more)} more like it`] : [])];
}

function count(number: number): string {
  return number.toLocaleString('en-US');
}

function percent(part: number): string {
  return `${Number((part * 100).toPrecision(2))} %`;
}

function round(part: number): number {
  return Number(part.toPrecision(4));
}
