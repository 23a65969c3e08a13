import { oneLine } from '../text/one-line';
import { own } from './own';
import type { Problems } from './problems';

/**
 * Whether a value that a program wrote still has its form: for files that may be damaged, or of another version. What a person
 * writes is read by `fields.ts`, with bounds and defaults.
 */
export type Check = readonly [rule: string, holds: (value: unknown) => boolean];

export type Fields = Readonly<Record<string, unknown>>;

export const isOneOf = (...values: readonly unknown[]): Check => [
  `one of ${values.join(', ')}`,
  (value) => values.includes(value),
];
export const COUNT: Check = [
  'an integer of at least 0',
  (value) => Number.isSafeInteger(value) && (value as number) >= 0,
];
export const INTEGER: Check = ['an integer', (value) => Number.isSafeInteger(value)];
export const NUMBER: Check = ['a number', (value) => typeof value === 'number' && Number.isFinite(value)];
export const TEXT: Check = ['a text', (value) => typeof value === 'string'];
export const FLAG: Check = ['true or false', (value) => typeof value === 'boolean'];
/** ISO 8601. */
export const TIME: Check = ['a time', (value) => typeof value === 'string' && !Number.isNaN(Date.parse(value))];

export const optional = ([rule, holds]: Check): Check => [
  `${rule}, or absent`,
  (value) => value === undefined || holds(value),
];

export const eachIs = ([rule, holds]: Check): Check => [
  `a list, each of it ${rule}`,
  (value) => Array.isArray(value) && value.every(holds),
];

export const hasFields = (fields: Readonly<Record<string, Check>>): Check => [
  `an object with ${Object.entries(fields)
    .map(([name, [rule]]) => `'${name}' (${rule})`)
    .join(', ')}`,
  (value) => {
    const object = asObject(value);
    return object !== undefined && Object.entries(fields).every(([name, [, holds]]) => holds(own(object, name)));
  },
];

/** As `JSON.stringify` leaves a number: `null` where it has no word for it. */
export const NUMBER_OR_NULL: Check = ['a number, or null', (value) => value === null || NUMBER[1](value)];

export const bothSides = (check: Check): Check => hasFields({ source: check, target: check });

/** Of any names. */
export const valuesAre = ([rule, holds]: Check): Check => [
  `an object, each value of it ${rule}`,
  (value) => {
    const object = asObject(value);
    return object !== undefined && Object.values(object).every(holds);
  },
];

/** @returns undefined of what is no object; the problems of its fields are noted */
export function readObject(
  name: string,
  value: unknown,
  fields: Readonly<Record<string, Check>>,
  problems: Problems,
): Fields | undefined {
  const object = asObject(value);
  if (!object) problems.add(name, 'an object', value);
  for (const [key, [rule, holds]] of Object.entries(object ? fields : {})) {
    const field = object && own(object, key);
    if (!holds(field)) problems.add(name === '' ? key : `${name}.${key}`, rule, field);
  }
  return object;
}

export function asObject(value: unknown): Fields | undefined {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isObject ? (value as Fields) : undefined;
}

/** As a message has it: a damaged file may have anything of any length. */
export function showShort(value: unknown): string {
  if (value === undefined) return 'nothing';
  try {
    return oneLine(JSON.stringify(value), 100);
  } catch {
    return 'one that is nested too deep';
  }
}

/** Whether two values are the same as JSON: the order of keys is none of it. */
export function sameJson(a: unknown, b: unknown): boolean {
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && a.every((item, at) => sameJson(item, b[at]));
  const [left, right] = [asObject(a), asObject(b)];
  if (!left || !right) return a === b;
  const names = [...new Set([...Object.keys(left), ...Object.keys(right)])];
  return names.every((name) => sameJson(own(left, name), own(right, name)));
}

/** The form of evidence, as its `schema` says. */
export const EVIDENCE_SCHEMA = 'drainshift/evidence/1';

/** A file that is no evidence, or too damaged to be read. The message has one line for each rule that it breaks. */
export class EvidenceUnreadable extends Error {
  override readonly name = 'EvidenceUnreadable';
}

const MAX_PROBLEMS = 10;

/** @throws EvidenceUnreadable with the first problems, where there are any */
export function throwUnreadable({ all }: Problems): void {
  if (all.length > 0) throw new EvidenceUnreadable(all.slice(0, MAX_PROBLEMS).join('\n'));
}
