import type { RateOdds } from '../judge/rate-odds';
import { matchesParts, splitPattern } from '../text/wildcard';
import { Difference, Differences, OTHER_FIELDS } from './difference';
import { MAX_FIELDS, MAX_NAMES, NO_FIELD_ODDS, WindowCounts, addFieldWindow, isWindowWhole } from './field-odds';
import type { CompareOptions } from './options';
import type { CompareReport } from './compare-report';
import { reportComparison } from './report-comparison';
import type { ResponsePair } from './response';
import { findRoute } from './route';
import type { Example, FieldState, RouteState } from './route-state';
import { showRequest, showValues } from './show-value';

const MAX_ROUTES = 200;
const MAX_ROUTE_FIELDS = 500;
const MAX_RECENT = 1_000;
const MAX_EXAMPLES = 3;
const METHODS = new Set(['GET', 'HEAD', 'OPTIONS', 'POST', 'PUT', 'PATCH', 'DELETE', 'QUERY']);

/** Two responses that were compared, and what of them stands in an example. */
export interface ComparedPair extends Pick<ResponsePair, 'route' | 'isRepeat'> {
  readonly differences: Pick<Differences, 'byField' | 'isWhole'>;
}

/** Counts differences by route and field. Routes, fields and examples are limited, and what is more is counted together. */
export class DifferenceTally {
  private readonly routes = new Map<string, RouteState>();
  /** The routes of requests that were seen lately: some come often. */
  private readonly recent = new Map<string, RouteState>();
  /** Of a field over all routes. */
  private readonly names = new Map<string, RateOdds>();
  private fieldCount = 0;
  private readonly ignored: readonly (readonly string[])[];

  constructor(private readonly options: CompareOptions) {
    this.ignored = options.ignore.map(splitPattern);
  }

  add(pair: ComparedPair): void {
    const route = this.findRoute(pair.route);
    const { differences } = pair;
    const part = pair.isRepeat ? 'repeats' : 'comparisons';
    let isDifferent = false;
    const counted = new Set<FieldState>();
    for (const [name, difference] of differences.byField) {
      const field = this.findField(route, name);
      // Several may be among the other fields.
      if (counted.has(field)) continue;
      counted.add(field);
      field.hits[part] += 1;
      field.window[part] += 1;
      if (field.isIgnored || pair.isRepeat) continue;
      isDifferent = true;
      field.kinds.set(difference.kind, (field.kinds.get(difference.kind) ?? 0) + 1);
      if (field.examples.length < MAX_EXAMPLES) field.examples.push(showExample(pair, name, difference));
    }
    route.all[part] += 1;
    route.window[part] += 1;
    if (!pair.isRepeat) {
      route.whole += differences.isWhole ? 1 : 0;
      route.differ += isDifferent ? 1 : 0;
    }
    if (isWindowWhole(route.window)) this.closeWindow(route);
  }

  /** When no more pairs come: what is left of windows counts, too. Before it a report has whole windows only. */
  finish(): void {
    for (const route of this.routes.values()) this.closeWindow(route);
  }

  report(): CompareReport {
    return reportComparison([...this.routes.values()], this.names, this.options);
  }

  private findRoute(route: ResponsePair['route']): RouteState {
    const key = `${route.method} ${route.url}`;
    const known = this.recent.get(key);
    if (known) return known;
    const found = this.findRouteByName(route);
    if (this.recent.size >= MAX_RECENT) this.recent.clear();
    this.recent.set(key, found);
    return found;
  }

  private findRouteByName({ method, url }: ResponsePair['route']): RouteState {
    const name = findRoute(method, url, this.options.routes);
    const known = this.routes.get(name);
    if (known) return known;
    const isFull = this.routes.size >= MAX_ROUTES;
    // Safe requests are repeated and others are not: together they would be compared with the noise of others.
    const ofMethod = METHODS.has(method.toUpperCase()) ? method.toUpperCase() : '(other methods)';
    return isFull ? this.openRoute(`${ofMethod} (other routes)`) : this.openRoute(name);
  }

  private openRoute(route: string): RouteState {
    const known = this.routes.get(route);
    if (known) return known;
    const state: RouteState = { route, all: none(), window: none(), whole: 0, differ: 0, fields: new Map() };
    this.routes.set(route, state);
    return state;
  }

  private findField(route: RouteState, name: string): FieldState {
    const known = route.fields.get(name);
    if (known) return known;
    const isFull = route.fields.size >= MAX_ROUTE_FIELDS || this.fieldCount >= MAX_FIELDS;
    if (isFull && name !== OTHER_FIELDS) return this.findField(route, OTHER_FIELDS);
    const state: FieldState = {
      field: name,
      isIgnored: this.isIgnored(route.route, name),
      hits: none(),
      window: none(),
      odds: NO_FIELD_ODDS,
      kinds: new Map(),
      examples: [],
    };
    route.fields.set(name, state);
    this.fieldCount += 1;
    return state;
  }

  private isIgnored(route: string, field: string): boolean {
    return this.ignored.some((parts) => matchesParts(field, parts) || matchesParts(`${route} ${field}`, parts));
  }

  private closeWindow({ window, fields }: RouteState): void {
    for (const state of fields.values()) {
      const { field, window: hits, isIgnored } = state;
      if (hits.repeats === 0 && hits.comparisons === 0) continue;
      if (!isIgnored) {
        state.odds = addFieldWindow(state.odds, window, hits);
        this.addToName(field, window, hits);
      }
      clear(hits);
    }
    clear(window);
  }

  private addToName(field: string, window: WindowCounts, hits: WindowCounts): void {
    const odds = this.names.get(field);
    if (odds === undefined && (field === OTHER_FIELDS || this.names.size >= MAX_NAMES)) return;
    this.names.set(field, addFieldWindow(odds ?? NO_FIELD_ODDS, window, hits));
  }
}

function none(): WindowCounts {
  return { repeats: 0, comparisons: 0 };
}

function clear(counts: WindowCounts): void {
  counts.repeats = 0;
  counts.comparisons = 0;
}

function showExample({ route }: ComparedPair, field: string, difference: Difference): Example {
  return { request: showRequest(route.method, route.url), kind: difference.kind, ...showValues(field, difference) };
}
