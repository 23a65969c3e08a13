/** A part of a message that must have a value. */
export interface JsonMatch {
  /** RFC 6901. */
  readonly pointer: string;
  /** What stands there: a text, or a number, `true`, `false` or `null` as JSON writes it. */
  readonly equals: string;
}

/** Whether a text is JSON with that value at that place. */
export function matchesJson(text: string, { pointer, equals }: JsonMatch): boolean {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return false;
  }
  for (const token of pointer.split('/').slice(1)) {
    const key = token.replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return false;
    if (Array.isArray(value) && key === 'length') return false;
    value = (value as Record<string, unknown>)[key];
  }
  return (typeof value !== 'object' || value === null) && String(value) === equals;
}
