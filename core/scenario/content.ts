import { oneLine } from '../text/one-line';
import { Variables, fillJson, fillText } from './variables';

/** What a body, a message or the data of an event must be. All that is given must hold; nothing given is anything. */
export interface Content {
  readonly text?: string | undefined;
  readonly json?: unknown;
  readonly matches?: string | undefined;
}

/** What was wanted and what came instead, each in a few words. */
export interface Mismatch {
  readonly expected: string;
  readonly got: string;
}

const SHOWN = 60;
/** A report is passed on: values under such names are not for it. */
const SECRET = /pass|secret|token|csrf|xsrf|session|authori[sz]ation|api-?_?key|credential|cookie/i;

/** @returns undefined where it is right */
export function findMismatch(content: Content, got: string, values: Variables): Mismatch | undefined {
  return wrongText(content, got, values) ?? wrongJson(content, got, values) ?? wrongForm(content, got);
}

export function isAnything({ text, json, matches }: Content): boolean {
  return text === undefined && json === undefined && matches === undefined;
}

function wrongText({ text }: Content, got: string, values: Variables): Mismatch | undefined {
  if (text === undefined) return undefined;
  const expected = fillText(text, values);
  if (got === expected) return undefined;
  const at = findFirstDifference(expected, got);
  return { expected: showText(expected, at), got: showText(got, at) };
}

function findFirstDifference(one: string, other: string): number {
  let at = 0;
  while (at < one.length && one[at] === other[at]) at += 1;
  return at;
}

/** Around the first difference, or whole. */
export function showText(text: string, at = 0): string {
  if (text === '') return 'an empty text';
  const from = text.length <= SHOWN ? 0 : Math.max(0, at - SHOWN / 4);
  const part = oneLine(text.slice(from, from + SHOWN));
  return `'${from > 0 ? '…' : ''}${part}${from + SHOWN < text.length ? '…' : ''}'`;
}

function wrongJson({ json }: Content, got: string, values: Variables): Mismatch | undefined {
  if (json === undefined) return undefined;
  const parsed = parseJson(got);
  if (parsed === undefined) return { expected: 'JSON', got: showText(got) };
  return findDifference(fillJson(json, values), parsed, '');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** Of an object the named fields, of a list each item. */
function findDifference(expected: unknown, got: unknown, pointer: string): Mismatch | undefined {
  if (Array.isArray(expected)) return wrongList(expected, got, pointer);
  if (typeof expected !== 'object' || expected === null) {
    return expected === got ? undefined : differ(expected, got, pointer);
  }
  if (typeof got !== 'object' || got === null || Array.isArray(got)) return differ(expected, got, pointer);
  for (const [name, value] of Object.entries(expected)) {
    const found = Object.hasOwn(got, name) ? (got as Record<string, unknown>)[name] : undefined;
    const wrong = findDifference(value, found, `${pointer}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`);
    if (wrong) return wrong;
  }
  return undefined;
}

function wrongList(expected: readonly unknown[], got: unknown, pointer: string): Mismatch | undefined {
  if (!Array.isArray(got)) return differ(expected, got, pointer);
  if (got.length !== expected.length) {
    const count = (length: number) => `${length} ${length === 1 ? 'item' : 'items'}${at(pointer)}`;
    return { expected: count(expected.length), got: count(got.length) };
  }
  for (const [index, value] of expected.entries()) {
    const wrong = findDifference(value, got[index], `${pointer}/${index}`);
    if (wrong) return wrong;
  }
  return undefined;
}

function differ(expected: unknown, got: unknown, pointer: string): Mismatch {
  const show = (value: unknown) =>
    SECRET.test(pointer) && value !== undefined ? 'a value that is not shown' : showJson(value);
  return { expected: `${show(expected)}${at(pointer)}`, got: show(got) };
}

function at(pointer: string): string {
  return pointer === '' ? '' : ` at ${oneLine(pointer, SHOWN)}`;
}

function showJson(value: unknown): string {
  return value === undefined ? 'nothing' : oneLine(JSON.stringify(value), SHOWN);
}

function wrongForm({ matches }: Content, got: string): Mismatch | undefined {
  if (matches === undefined || new RegExp(matches, 's').test(got)) return undefined;
  return { expected: `a match of /${oneLine(matches, SHOWN)}/`, got: showText(got) };
}
