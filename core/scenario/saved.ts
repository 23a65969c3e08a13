import { showForm } from './content';

/** Where the value of a variable is found: one of these. */
export interface Saved {
  readonly json?: string | undefined;
  readonly matches?: string | undefined;
  readonly header?: string | undefined;
  readonly cookie?: string | undefined;
}

/** What a response brings, as far as values are found in it. */
export interface SavedFrom {
  readonly body: string;
  readonly header: (name: string) => string | undefined;
  readonly cookie: (name: string) => string | undefined;
}

/** @returns undefined where there is none */
export function findSaved({ json, matches, header, cookie }: Saved, from: SavedFrom): string | undefined {
  if (json !== undefined) return findByPointer(from.body, json);
  if (matches !== undefined) return new RegExp(matches, 's').exec(from.body)?.[1];
  if (header !== undefined) return from.header(header.toLowerCase());
  return cookie === undefined ? undefined : from.cookie(cookie);
}

/** Where it was looked for, in words. */
export function describeSaved({ json, matches, header, cookie }: Saved): string {
  if (json !== undefined) return `at ${json === '' ? 'the root' : json}`;
  if (matches !== undefined) return `by ${showForm(matches)}`;
  return header !== undefined ? `in the header ${header}` : `in the cookie ${cookie ?? ''}`;
}

/** @see RFC 6901 */
function findByPointer(body: string, pointer: string): string | undefined {
  let value: unknown;
  try {
    value = JSON.parse(body) as unknown;
  } catch {
    return undefined;
  }
  for (const part of pointer.split('/').slice(1)) {
    const name = part.replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'boolean' ? `${value}` : undefined;
}
