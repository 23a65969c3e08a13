import { parsePointer, readPointer } from '../check/pointer';
import { CapturedRequest, parseConnectionId } from '../capture/connection-assembly';
import { findHeader, parseRequestLine, readBody } from '../capture/http-message';

/** What requests have in common that must not overtake each other. */
export type KeyRule =
  | { readonly kind: 'connection' | 'all' }
  /** The segments of a path; undefined of one that may be any, and `key` of the one that is the key. */
  | { readonly kind: 'path'; readonly segments: readonly PathSegment[] }
  /** In lowercase. */
  | { readonly kind: 'header'; readonly name: string }
  | { readonly kind: 'json'; readonly pointer: readonly string[] };

type PathSegment = { readonly text: string } | 'any' | 'key';

export const KEY_RULE =
  "'connection', 'all', a path with {key} (/carts/{key}), 'header:NAME' or 'json:/POINTER' into the body of a request";

/** Undefined of anything else. */
export function parseKeyRule(text: string): KeyRule | undefined {
  if (text === 'connection' || text === 'all') return { kind: text };
  const [, kind, value = ''] = /^(header|json):(.+)$/s.exec(text) ?? [];
  if (kind === 'header')
    return /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(value) ? { kind, name: value.toLowerCase() } : undefined;
  if (kind === 'json') {
    const pointer = value.startsWith('/') ? parsePointer(value) : undefined;
    return pointer && { kind, pointer };
  }
  if (!text.startsWith('/')) return undefined;
  const segments = text
    .replace(/\/\*?$/, '')
    .slice(1)
    .split('/')
    .map((each): PathSegment => {
      if (each === '{key}') return 'key';
      return each === '*' ? 'any' : { text: each };
    });
  const hasKey = segments.includes('key');
  return hasKey && !/[{}]/.test(text.replaceAll('{key}', '')) ? { kind: 'path', segments } : undefined;
}

/** Requests without the part that is asked for have their connection in common. */
export function findKey(rule: KeyRule, request: CapturedRequest): string {
  const found = findOwnKey(rule, request);
  if (found !== undefined) return `${rule.kind}:${found}`;
  return `connection:${parseConnectionId(request.connectionId, request.nodeId).connection}`;
}

function findOwnKey(rule: KeyRule, { message }: CapturedRequest): string | undefined {
  switch (rule.kind) {
    case 'connection':
      return undefined;
    case 'all':
      return '';
    case 'header':
      return findHeader(message, rule.name);
    case 'path':
      return findPathKey(rule.segments, parseRequestLine(message.startLine)?.target ?? '');
    case 'json':
      return findJsonKey(rule.pointer, message);
  }
}

function findPathKey(segments: readonly PathSegment[], target: string): string | undefined {
  const path = target
    .replace(/^https?:\/\/[^/?#]*/i, '')
    .replace(/[?#].*$/s, '')
    .slice(1)
    .split('/');
  const keys: string[] = [];
  for (const [at, segment] of segments.entries()) {
    const found = path[at];
    if (found === undefined || found === '') return undefined;
    if (segment === 'key') keys.push(found);
    else if (segment !== 'any' && segment.text !== found) return undefined;
  }
  return keys.join('/');
}

function findJsonKey(pointer: readonly string[], message: CapturedRequest['message']): string | undefined {
  if (message.problem !== undefined) return undefined;
  try {
    const value = readPointer(JSON.parse(Buffer.from(readBody(message)).toString()), pointer);
    return value === undefined || value === null ? undefined : JSON.stringify(value);
  } catch {
    return undefined;
  }
}
