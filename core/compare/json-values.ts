/** What is deeper is compared as text: recursion must end. */
const MAX_DEPTH = 100;

/** An integer of more digits than a number of JavaScript keeps. */
const LONG_INTEGER = /[:,[\s-]\d{16,}(?![\d.eE])/;
const INTEGER = /^-?\d+$/;

export interface ParsedJson {
  readonly value: unknown;
  /** Whether it broke off: what is there is whole. */
  readonly isCut: boolean;
}

/**
 * Reads JSON (RFC 8259). Integers that a number cannot hold are a `bigint`, so that two of them are not taken for the same.
 *
 * @param isCut whether the text may break off: then what came whole is read
 * @returns undefined of what is no JSON, and of what is deeper than is compared
 */
export function parseJson(text: string, isCut: boolean): ParsedJson | undefined {
  const whole = parse(text);
  if (whole !== undefined) return { value: whole, isCut: false };
  if (!isCut) return undefined;
  const value = parse(closeJson(text));
  return value === undefined ? undefined : { value, isCut: true };
}

/** One value a line, as OpenSearch's bulk API has it; undefined when a line is none. */
export function parseJsonLines(text: string, isCut: boolean): ParsedJson | undefined {
  const lines = text.split('\n');
  const last = lines.pop() ?? '';
  const values: unknown[] = lines.filter((line) => line.trim() !== '').map((line) => parse(line));
  if (last.trim() !== '' && !isCut) values.push(parse(last));
  return values.includes(undefined) ? undefined : { value: values, isCut };
}

function parse(text: string): unknown {
  try {
    const value = LONG_INTEGER.test(text)
      ? (JSON.parse(text, reviveExactly) as unknown)
      : (JSON.parse(text) as unknown);
    return isTooDeep(value, MAX_DEPTH) ? undefined : value;
  } catch {
    return undefined;
  }
}

/** The source text of a primitive value is the third argument since V8 11.4. */
function reviveExactly(_: string, value: unknown, context?: { readonly source?: string }): unknown {
  const isExact = typeof value !== 'number' || Number.isSafeInteger(value) || !INTEGER.test(context?.source ?? '');
  return isExact ? value : BigInt(context?.source ?? 0);
}

function isTooDeep(value: unknown, left: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (left === 0) return true;
  const values: readonly unknown[] = Array.isArray(value) ? value : Object.values(value);
  for (const each of values) if (typeof each === 'object' && isTooDeep(each, left - 1)) return true;
  return false;
}

/** A text that breaks off, to the end of the last value that is whole, with its brackets closed. */
function closeJson(text: string): string {
  let open = '';
  let [end, closing] = [0, ''];
  let isString = false;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at];
    if (isString) {
      if (character === '\\') at += 1;
      else if (character === '"') isString = false;
      continue;
    }
    if (character === '"') isString = true;
    else if (character === '{' || character === '[') {
      open = (character === '{' ? '}' : ']') + open;
      [end, closing] = [at + 1, open];
    } else if (character === '}' || character === ']') {
      open = open.slice(1);
      [end, closing] = [at + 1, open];
    } else if (character === ',') [end, closing] = [at, open];
  }
  return text.slice(0, end) + closing;
}

/** The same text for values that are equal, whatever the order of their keys. */
export function canonicalText(value: unknown): string {
  const pieces: string[] = [];
  writeCanonical(value, pieces);
  return pieces.join('');
}

/** In pieces: a text within a text within a text would be copied at each level. */
function writeCanonical(value: unknown, into: string[]): void {
  if (typeof value === 'number') into.push(`${value}`);
  else if (typeof value === 'bigint') into.push(`${value}n`);
  else if (typeof value !== 'object' || value === null) into.push(JSON.stringify(value));
  else if (Array.isArray(value)) {
    into.push('[');
    for (const each of value) {
      writeCanonical(each, into);
      into.push(',');
    }
    into.push(']');
  } else {
    into.push('{');
    for (const [name, each] of Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))) {
      into.push(JSON.stringify(name), ':');
      writeCanonical(each, into);
      into.push(',');
    }
    into.push('}');
  }
}
