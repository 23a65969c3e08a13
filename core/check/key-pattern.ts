/** A pattern of keys with one star, which stands for the id of a connection. */
export interface KeyPattern {
  readonly prefix: string;
  readonly suffix: string;
}

export const KEY_PATTERN_RULE = "a pattern with one '*' where the id of the connection is (state:*), or none";

/** @returns undefined of what is no such pattern */
export function parseKeyPattern(text: string): KeyPattern | undefined {
  const [prefix, suffix, ...more] = text.split('*');
  if (prefix === undefined || suffix === undefined || more.length > 0 || prefix + suffix === '') return undefined;
  return { prefix, suffix };
}

/** For MATCH of SCAN, in which some characters have a meaning of their own. */
export function formatMatch({ prefix, suffix }: KeyPattern): string {
  const quote = (text: string) => text.replace(/[\\?[\]^*]/g, '\\$&');
  return `${quote(prefix)}*${quote(suffix)}`;
}

/** @returns the id in a key; undefined of a key of another kind */
export function readKeyId({ prefix, suffix }: KeyPattern, key: string): string | undefined {
  const isOne = key.startsWith(prefix) && key.endsWith(suffix) && key.length > prefix.length + suffix.length;
  return isOne ? key.slice(prefix.length, key.length - suffix.length) : undefined;
}
