import { asObject, showShort } from '../validation/shapes';
import { own } from '../validation/own';
import { readPointer } from './pointer';

/** Where the id of a connection is in a list. */
export interface IdPlace {
  /** Of each item that is an object. */
  readonly path: readonly string[];
  /** What of that is the id: its first group, or all that it matches; undefined: all. */
  readonly pattern?: RegExp;
}

/** One page of a list of live connections. */
export type LiveList =
  | {
      readonly ids: readonly string[];
      /** Where the next page begins; absent of the last one. */
      readonly next?: string;
    }
  /** Why it is none. */
  | { readonly problem: string };

const RULE = "must be a list of connections, or an object with 'connections'";

/**
 * Reads a list of live connections: a list, an object with one in `connections`, or an object whose names are the ids. An item is
 * an id, or an object with one.
 */
export function readLiveList(json: unknown, place: IdPlace): LiveList {
  const object = asObject(json);
  const items = object ? (own(object, 'connections') ?? object) : json;
  const list = Array.isArray(items) ? (items as readonly unknown[]) : Object.keys(asObject(items) ?? {});
  if (!Array.isArray(items) && !asObject(items)) return { problem: `${RULE}, got ${showShort(json)}` };
  const ids = list.map((item) => readId(item, place));
  const wrong = ids.findIndex((id) => id === undefined);
  if (wrong >= 0) {
    const name = place.path.join('/');
    return { problem: `item ${wrong} must have an id in '${name}', got ${showShort(list[wrong])}` };
  }
  const next = object && own(object, 'next');
  return { ids: ids as string[], ...(typeof next === 'string' && next !== '' && { next }) };
}

/** @returns undefined where there is none */
export function readId(item: unknown, { path, pattern }: IdPlace): string | undefined {
  const value = typeof item === 'object' && item !== null ? readPointer(item, path) : item;
  if (typeof value !== 'string' && typeof value !== 'number') return undefined;
  if (!pattern) return String(value);
  const found = pattern.exec(String(value));
  return found ? (found[1] ?? found[0]) : undefined;
}
