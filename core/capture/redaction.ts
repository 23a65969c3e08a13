import { own } from '../validation/own';

/** What is hidden of a record. */
export interface Redaction {
  /** Names of fields, in lower case. */
  readonly fields: ReadonlySet<string>;
  /** Paths of values in JSON bodies; see `parseRedaction`. */
  readonly pointers: readonly (readonly string[])[];
  /** Stands for a value: the same for the same value, and for no other. */
  readonly hash: (value: string) => string;
}

/** What is hidden unless a user says otherwise. */
export const REDACTED_FIELDS = ['authorization', 'cookie', 'proxy-authorization', 'set-cookie'] as const;
/** What the hash of a value begins with. */
export const REDACTED = 'redacted-';
const EVERY = '*';

/** Sorts names of fields from JSON pointers (RFC 6901), in which `*` stands for each member of an object or array. */
export function parseRedaction(names: readonly string[]): Pick<Redaction, 'fields' | 'pointers'> {
  const pointers = names.filter((name) => name.startsWith('/'));
  return {
    fields: new Set(names.filter((name) => !name.startsWith('/')).map((name) => name.toLowerCase())),
    pointers: pointers.map((pointer) =>
      pointer
        .slice(1)
        .split('/')
        .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~')),
    ),
  };
}

/** @param block lines of fields, `name: value` CR LF each */
export function redactFields(block: string, { fields, hash }: Redaction): string {
  if (fields.size === 0) return block;
  return block
    .split('\r\n')
    .map((line) => redactLine(line, fields, hash))
    .join('\r\n');
}

function redactLine(line: string, fields: ReadonlySet<string>, hash: Redaction['hash']): string {
  const colon = line.indexOf(':');
  if (colon < 0) return line;
  const name = line.slice(0, colon);
  const lower = name.toLowerCase();
  if (!fields.has(lower)) return line;
  const value = line.slice(colon + 1).trim();
  return `${name}: ${redactValue(lower, value, hash)}`;
}

/** Sessions correlate: a cookie has the same hash where it is set and where it is sent. */
function redactValue(name: string, value: string, hash: Redaction['hash']): string {
  if (name === 'cookie') {
    const pairs = value.split(';').map((pair) => redactPair(pair.trim(), hash));
    return pairs.join('; ');
  }
  if (name === 'set-cookie') {
    const [pair = '', ...attributes] = value.split(';');
    return [redactPair(pair.trim(), hash), ...attributes].join(';');
  }
  if (name === 'authorization' || name === 'proxy-authorization') {
    const scheme = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+(?= )/.exec(value)?.[0];
    if (scheme !== undefined) return `${scheme} ${hash(value.slice(scheme.length + 1))}`;
  }
  return hash(value);
}

function redactPair(pair: string, hash: Redaction['hash']): string {
  const equals = pair.indexOf('=');
  return equals < 0 ? hash(pair) : `${pair.slice(0, equals)}=${hash(pair.slice(equals + 1))}`;
}

/** @returns undefined where it is no JSON, so that nothing can be hidden in it */
export function redactJson(text: string, { pointers, hash }: Redaction): string | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  let hidden = 0;
  const hide = (at: unknown, path: readonly string[]): unknown => {
    const [part, ...rest] = path;
    if (part === undefined) {
      hidden += 1;
      return hash(typeof at === 'string' ? at : JSON.stringify(at));
    }
    if (typeof at !== 'object' || at === null) return at;
    const members = at as Record<string, unknown>;
    for (const name of part === EVERY ? Object.keys(members) : [part]) {
      const member = own(members, name);
      if (member !== undefined) members[name] = hide(member, rest);
    }
    return at;
  };
  for (const path of pointers) value = hide(value, path);
  // What hides nothing stays as it came, byte for byte.
  return hidden === 0 ? text : JSON.stringify(value);
}
