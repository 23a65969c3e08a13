import { printableLine } from '../text/printable';
import { Differences } from './difference';
import { canonicalText } from './json-values';
import { ID, isId } from './route';

/** Which of both breaks off: what it does not have may have been behind the end. */
export interface Cuts {
  readonly source: boolean;
  readonly target: boolean;
}

/** By which items of an array are known; the first that all of them have. */
const IDENTITIES = ['id', '_id', 'uuid', 'key', 'name'] as const;
const MAX_NAME = 60;
/** Deeper within each other arrays are compared by place alone: for their order everything in them is read again. */
const MAX_ARRAYS = 3;

/**
 * What differs between two values of JSON. A field is `body.items[*].price`: places in arrays are one, and so are keys that are ids.
 *
 * Items of an array are compared by their place; where they have ids, and at least half of these are in both, by their ids. The same
 * items in another order are one difference, of the array.
 */
export function compareJson(source: unknown, target: unknown, field: string, cuts: Cuts, into: Differences): void {
  if (source === target) return;
  const kind = findType(source);
  if (kind !== findType(target)) into.add(field, 'type', source, target);
  else if (Array.isArray(source)) compareArrays(source, target as readonly unknown[], field, cuts, into);
  else if (kind === 'object') compareObjects(source as JsonObject, target as JsonObject, field, cuts, into);
  else into.add(field, 'changed', source, target);
}

type JsonObject = Readonly<Record<string, unknown>>;

function findType(value: unknown): string {
  if (value === null) return 'null';
  if (typeof value === 'bigint') return 'number';
  return Array.isArray(value) ? 'array' : typeof value;
}

function compareObjects(source: JsonObject, target: JsonObject, field: string, cuts: Cuts, into: Differences): void {
  for (const name of Object.keys(source)) {
    const isIn = Object.hasOwn(target, name);
    // Most are equal: no name is made for them.
    if (isIn && source[name] === target[name]) continue;
    const path = nameField(field, name);
    if (isIn) compareJson(source[name], target[name], path, cuts, into);
    else if (!cuts.target) into.add(path, 'missing', source[name], undefined);
  }
  if (cuts.source) return;
  for (const name of Object.keys(target)) {
    if (!Object.hasOwn(source, name)) into.add(nameField(field, name), 'added', undefined, target[name]);
  }
}

function nameField(field: string, name: string): string {
  if (isId(name)) return `${field}.${ID}`;
  return /^[\w$-]+$/.test(name)
    ? `${field}.${name}`
    : `${field}[${printableLine(JSON.stringify(name.slice(0, MAX_NAME)))}]`;
}

type Items = readonly unknown[];

function compareArrays(source: Items, target: Items, field: string, cuts: Cuts, into: Differences): void {
  const pairs = matchItems(source, target, field, cuts);
  if (pairs.isReordered) into.add(field, 'order', source, target);
  const path = `${field}[*]`;
  for (const [one, other] of pairs.both) compareJson(one, other, path, cuts, into);
  if (pairs.missing.length > 0 && !cuts.target) into.add(path, 'missing', pairs.missing[0], undefined);
  if (pairs.added.length > 0 && !cuts.source) into.add(path, 'added', undefined, pairs.added[0]);
}

/** Around the items of a field. */
function countArrays(field: string): number {
  return field.split('[*]').length - 1;
}

interface Matched {
  readonly both: readonly (readonly [source: unknown, target: unknown])[];
  readonly missing: Items;
  readonly added: Items;
  readonly isReordered: boolean;
}

function matchItems(source: Items, target: Items, field: string, cuts: Cuts): Matched {
  const [one, other] = findIdentities(source, target) ?? [];
  if (one && other) return matchByIdentity(source, target, one, other) ?? matchByPlace(source, target);
  const isWhole = !cuts.source && !cuts.target && source.length === target.length;
  return isWhole && countArrays(field) <= MAX_ARRAYS && isPermutation(source, target)
    ? { both: [], missing: [], added: [], isReordered: true }
    : matchByPlace(source, target);
}

function matchByPlace(source: Items, target: Items): Matched {
  const shared = Math.min(source.length, target.length);
  return {
    both: source.slice(0, shared).map((item, index) => [item, target[index]]),
    missing: source.slice(shared),
    added: target.slice(shared),
    isReordered: false,
  };
}

/** The same items, and not in the same order. */
function isPermutation(source: Items, target: Items): boolean {
  if (source.length < 2) return false;
  const [one, other] = [source.map(canonicalText), target.map(canonicalText)];
  if (one.every((text, index) => text === other[index])) return false;
  const sorted = other.toSorted();
  return one.toSorted().every((text, index) => text === sorted[index]);
}

/** @returns undefined when so few are in both that the ids are new in each response */
function matchByIdentity(
  source: Items,
  target: Items,
  one: readonly string[],
  other: readonly string[],
): Matched | undefined {
  if (one.length === other.length && one.every((id, index) => id === other[index])) return matchByPlace(source, target);
  const places = new Map(other.map((id, index) => [id, index]));
  const found = one.map((id) => places.get(id));
  const common = found.filter((place) => place !== undefined);
  if (common.length * 2 < Math.max(source.length, target.length)) return undefined;
  const known = new Set(one);
  return {
    both: found.flatMap((place, index) => (place === undefined ? [] : [[source[index], target[place]] as const])),
    missing: source.filter((_, index) => found[index] === undefined),
    added: target.filter((_, index) => !known.has(other[index] ?? '')),
    isReordered: common.some((place, index) => index > 0 && place < (common[index - 1] ?? 0)),
  };
}

/** The ids of the items of both, where each item has one of its own. */
function findIdentities(source: Items, target: Items): [string[], string[]] | undefined {
  if (source.length === 0 || target.length === 0) return undefined;
  for (const name of IDENTITIES) {
    const one = readIdentities(source, name);
    const other = one && readIdentities(target, name);
    if (one && other) return [one, other];
  }
  return undefined;
}

function readIdentities(items: Items, name: string): string[] | undefined {
  const ids: string[] = [];
  for (const item of items) {
    if (typeof item !== 'object' || item === null || !Object.hasOwn(item, name)) return undefined;
    const id = (item as JsonObject)[name];
    if (typeof id !== 'string' && typeof id !== 'number' && typeof id !== 'bigint') return undefined;
    ids.push(`${typeof id} ${id}`);
  }
  return new Set(ids).size === ids.length ? ids : undefined;
}
