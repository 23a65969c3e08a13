import { own } from '../validation/own';

/** What a pointer is, for a message. */
export const POINTER_RULE = 'the name of a field, or a JSON pointer (/servers/0/name)';

/** @returns the path of a JSON pointer (RFC 6901), or of the bare name of a field; undefined of anything else */
export function parsePointer(text: string): readonly string[] | undefined {
  if (text === '') return undefined;
  if (!text.startsWith('/')) return [text];
  if (/~(?![01])/.test(text)) return undefined;
  return text
    .slice(1)
    .split('/')
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/** The value at a path; undefined where there is none. */
export function readPointer(value: unknown, path: readonly string[]): unknown {
  let at = value;
  for (const part of path) {
    if (typeof at !== 'object' || at === null) return undefined;
    if (Array.isArray(at)) at = /^(0|[1-9]\d*)$/.test(part) ? (at as readonly unknown[])[Number(part)] : undefined;
    else at = own(at as Record<string, unknown>, part);
  }
  return at;
}

/** @returns undefined of what is no JSON */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
