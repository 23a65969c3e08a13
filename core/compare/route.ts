import { matchesParts, splitPattern } from '../text/wildcard';
import { printableLine } from '../text/printable';

/** Stands for a part of a path or a name that is an id. */
export const ID = '{id}';

const MAX_ROUTE = 200;
const MAX_SEGMENTS = 12;

const DIGIT = /\d/;
const NUMBER = /^\d+$/;
const UUID = /^[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}$/i;
/** With a digit: `feedface` may be a word. */
const HEX = /^(?=.*\d)[0-9a-f]{8,}$/i;
/** `2026-11-30`, `2026-11-30T17:49:38Z`. */
const DATE = /^\d{4}-\d{2}-\d{2}(T[\d:.+Z-]*)?$/;
/** Letters and digits mixed, and no words with hyphens between: `dQw4w9WgXcQ7`, `usr_8fk2mz01`. */
const MIXED = /^(?=(?:.*\d){2})(?=.*[a-z])[\w~-]{10,}$/i;
const WORDS = /^[a-z]+([-_][a-z]+)+([-_]\d{1,4})?$/i;
/** Longer than a name that a person chose. */
const MAX_NAME = 40;

/** Whether a part of a path, or a key of JSON, is one of many: a number, a UUID, hex, a date, or long and opaque. */
export function isId(text: string): boolean {
  if (!DIGIT.test(text)) return text.length > MAX_NAME;
  if (NUMBER.test(text) || UUID.test(text) || HEX.test(text) || DATE.test(text)) return true;
  if (text.length > MAX_NAME) return true;
  return MIXED.test(text) && !WORDS.test(text);
}

/** The path of a URL in origin form or absolute, without its query. */
export function findPath(url: string): string {
  const path = url.replace(/^[a-z][a-z\d+.-]*:\/\/[^/?#]*/i, '').replace(/[?#][^]*$/, '');
  return path === '' ? '/' : path;
}

/**
 * `GET /items/{id}/tags`: the method, and the path with its ids made one.
 *
 * @param patterns paths with `*`; the first that fits stands for the path
 */
export function findRoute(method: string, url: string, patterns: readonly string[] = []): string {
  const path = findPath(url);
  const pattern = patterns.find((each) => matchesParts(path, splitPattern(each)));
  return printableLine(`${method.slice(0, 20).toUpperCase()} ${pattern ?? generalizePath(path)}`.slice(0, MAX_ROUTE));
}

function generalizePath(path: string): string {
  const segments = path.split('/');
  const shown = segments.slice(0, MAX_SEGMENTS + 1).map((segment) => (isId(decodeSegment(segment)) ? ID : segment));
  return `${shown.join('/')}${segments.length > shown.length ? '/…' : ''}`;
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
