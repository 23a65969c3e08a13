import { own } from '../validation/own';
import { showShort } from '../validation/shapes';
import { parseJson, parsePointer, readPointer } from './pointer';
import { BrokenRule, Findings, Judgement } from './verdict';

const OPERATORS = ['!=', '<=', '>=', '=', '<', '>'] as const;
export type Operator = (typeof OPERATORS)[number];

/** `connections <= 100`. A field that is not there breaks it. */
export interface FieldRule {
  readonly field: string;
  readonly path: readonly string[];
  readonly operator: Operator;
  /** A number for `<`, `<=`, `>` and `>=`. */
  readonly value: string | number | boolean;
}

export const FIELD_RULE_RULE = "'FIELD OPERATOR VALUE' with one of = != < <= > >=, such as 'connections <= 100'";

/** @returns undefined of what is no rule */
export function parseFieldRule(text: string): FieldRule | undefined {
  const [, field = '', sign = '', given = ''] = /^\s*([^\s<>=!]+)\s*(!=|<=|>=|=|<|>)\s*(\S.*?)\s*$/.exec(text) ?? [];
  const path = parsePointer(field);
  const operator = OPERATORS.find((each) => each === sign);
  if (!path || !operator) return undefined;
  const value = readValue(given);
  const isOrder = operator !== '=' && operator !== '!=';
  return isOrder && typeof value !== 'number' ? undefined : { field, path, operator, value };
}

function readValue(text: string): string | number | boolean {
  if (text === 'true' || text === 'false') return text === 'true';
  return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text;
}

/** One response of a health URL, or why there was none. */
export type HealthResponse =
  { readonly status: number; readonly body: string; readonly ms: number } | { readonly problem: string };

/** What is said in every line and report, where the response has it. */
const SHOWN_FIELDS = ['status', 'connections', 'memory_usage', 'cpu_usage', 'redis_connected'] as const;

export interface HealthPoll {
  /** ISO 8601. */
  readonly at: string;
  readonly httpStatus?: number;
  readonly ms?: number;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly broken: readonly BrokenRule[];
}

/** What `status` says where all is well. */
export const HEALTHY_STATUSES = ['healthy', 'ok', 'up', 'pass'] as const;

export interface HealthRules {
  readonly statuses: readonly string[];
  readonly fieldRules: readonly FieldRule[];
  readonly maxMs?: number;
}

/** Holds one response to the rules. What is said of `status` and `redis_connected` holds where these fields are there. */
export function judgePoll(at: string, response: HealthResponse, rules: HealthRules): HealthPoll {
  const found = new Findings();
  if ('problem' in response) {
    found.addBroken('response', 'there', response.problem);
    return { at, fields: {}, broken: found.judge().broken };
  }
  const { status, body, ms } = response;
  if (status < 200 || status > 299) found.addBroken('HTTP status', 'from 200 to 299', status);
  found.checkAtMostMs('response time', ms, rules.maxMs);
  const json = parseJson(body);
  if (typeof json !== 'object' || json === null) {
    found.addBroken('body', 'an object of JSON', body === '' ? 'nothing' : showShort(body));
    return { at, httpStatus: status, ms, fields: {}, broken: found.judge().broken };
  }
  judgeFields(json, rules, found);
  const fields = listShown(json as Record<string, unknown>, rules);
  return { at, httpStatus: status, ms, fields, broken: found.judge().broken };
}

function judgeFields(json: object, { statuses, fieldRules }: HealthRules, found: Findings): void {
  const names = new Set(fieldRules.map(({ field }) => field));
  const said = own(json as Record<string, unknown>, 'status');
  if (said !== undefined && !names.has('status') && !(typeof said === 'string' && statuses.includes(said))) {
    found.addBroken('status', `one of ${statuses.join(', ')}`, showShort(said));
  }
  const store = own(json as Record<string, unknown>, 'redis_connected');
  if (store !== undefined && !names.has('redis_connected') && store !== true) {
    found.addBroken('redis_connected', 'true', showShort(store));
  }
  for (const rule of fieldRules) {
    const value = readPointer(json, rule.path);
    if (!holds(value, rule)) found.addBroken(rule.field, `${rule.operator} ${rule.value}`, showShort(value));
  }
}

function holds(got: unknown, { operator, value }: FieldRule): boolean {
  if (got === undefined) return false;
  if (operator === '=') return got === value;
  if (operator === '!=') return got !== value;
  return typeof got === 'number' && typeof value === 'number' && holdsOrder(got, operator, value);
}

function holdsOrder(got: number, operator: '<' | '<=' | '>' | '>=', value: number): boolean {
  const orders = { '<': got < value, '<=': got <= value, '>': got > value, '>=': got >= value };
  return orders[operator];
}

function listShown(json: Record<string, unknown>, { fieldRules }: HealthRules): Record<string, unknown> {
  const shown = SHOWN_FIELDS.map((name) => [name, own(json, name)] as const);
  const ruled = fieldRules.map(({ field, path }) => [field, readPointer(json, path)] as const);
  return Object.fromEntries([...shown, ...ruled].filter(([, value]) => value !== undefined));
}

export interface HealthFigures {
  readonly polls: number;
  readonly bad: number;
}

/** @param broken the rules that bad polls broke, the first of each kind */
export function judgeHealth(
  { polls, bad }: HealthFigures,
  broken: readonly BrokenRule[],
  maxBad: number,
  isStopped: boolean,
): Judgement {
  const found = new Findings();
  if (bad > maxBad) {
    if (polls > 1) found.addBroken('bad polls', `at most ${maxBad}`, `${bad} of ${polls}`);
    for (const { name, rule, got } of broken) found.addBroken(name, rule, got);
  }
  if (polls === 0) found.addUnknown('the health was not polled');
  found.checkWhole(isStopped);
  return found.judge();
}
