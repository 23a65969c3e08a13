import { oneLine } from '../text/one-line';
import { hideInJson, hideSecrets, isSecretName } from './secrets';
import { Variables, fillJson, fillText, listVariables } from './variables';

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
const NOT_SHOWN = 'a value that is not shown';

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
  if (hasSecret(text)) return { expected: cut(hideSecrets(text), 0), got: NOT_SHOWN };
  const [wanted, found] = [hideSecrets(expected), hideSecrets(got)];
  if (wanted === found) return { expected: cut(wanted, 0), got: `the same with ${NOT_SHOWN} in it` };
  const at = findFirstDifference(wanted, found);
  return { expected: cut(wanted, at), got: cut(found, at) };
}

/** A variable stands for one: what comes in its place is one, too. */
function hasSecret(template: unknown): boolean {
  return listVariables(template).some(isSecretName);
}

function findFirstDifference(one: string, other: string): number {
  let at = 0;
  while (at < one.length && one[at] === other[at]) at += 1;
  return at;
}

/** Without its secrets. */
export function showText(text: string): string {
  return cut(hideSecrets(text), 0);
}

/** Around the first difference, or whole. */
function cut(text: string, at: number): string {
  if (text === '') return 'an empty text';
  const from = text.length <= SHOWN ? 0 : Math.max(0, at - SHOWN / 4);
  const part = oneLine(text.slice(from, from + SHOWN));
  return `'${from > 0 ? '…' : ''}${part}${from + SHOWN < text.length ? '…' : ''}'`;
}

/** An expression may have a secret in it, too. */
export function showForm(form: string): string {
  return `/${oneLine(hideSecrets(form), SHOWN)}/`;
}

function wrongJson({ json }: Content, got: string, values: Variables): Mismatch | undefined {
  if (json === undefined) return undefined;
  const parsed = parseJson(got);
  if (parsed === undefined) return { expected: 'JSON', got: showText(got) };
  return new Comparison(values).compare(json, parsed, '');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

class Comparison {
  constructor(private readonly values: Variables) {}

  /** Of an object the named fields, of a list each item. */
  compare(expected: unknown, got: unknown, pointer: string): Mismatch | undefined {
    if (Array.isArray(expected)) return this.compareList(expected, got, pointer);
    if (typeof expected !== 'object' || expected === null) {
      return fillJson(expected, this.values) === got ? undefined : this.differ(expected, got, pointer);
    }
    if (typeof got !== 'object' || got === null || Array.isArray(got)) return this.differ(expected, got, pointer);
    for (const [template, value] of Object.entries(expected)) {
      const name = fillText(template, this.values);
      const found = Object.hasOwn(got, name) ? (got as Record<string, unknown>)[name] : undefined;
      const wrong = this.compare(value, found, `${pointer}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`);
      if (wrong) return wrong;
    }
    return undefined;
  }

  private compareList(expected: readonly unknown[], got: unknown, pointer: string): Mismatch | undefined {
    if (!Array.isArray(got)) return this.differ(expected, got, pointer);
    if (got.length !== expected.length) {
      const count = (length: number) => `${length} ${length === 1 ? 'item' : 'items'}${at(pointer)}`;
      return { expected: count(expected.length), got: count(got.length) };
    }
    for (const [index, value] of expected.entries()) {
      const wrong = this.compare(value, got[index], `${pointer}/${index}`);
      if (wrong) return wrong;
    }
    return undefined;
  }

  private differ(expected: unknown, got: unknown, pointer: string): Mismatch {
    const isSecret = pointer.split('/').some(isSecretName) || hasSecret(expected);
    const show = (value: unknown) => (isSecret && hasText(value) ? NOT_SHOWN : showJson(value));
    return { expected: `${show(fillJson(expected, this.values))}${at(pointer)}`, got: show(got) };
  }
}

function at(pointer: string): string {
  return pointer === '' ? '' : ` at ${oneLine(pointer, SHOWN)}`;
}

/** Whether there is anything, and whether it is true, is no secret. */
function hasText(value: unknown): boolean {
  return value !== undefined && value !== null && value !== '' && typeof value !== 'boolean';
}

function showJson(value: unknown): string {
  return value === undefined ? 'nothing' : oneLine(JSON.stringify(hideInJson(value)), SHOWN);
}

function wrongForm({ matches }: Content, got: string): Mismatch | undefined {
  if (matches === undefined || new RegExp(matches, 's').test(got)) return undefined;
  return { expected: `a match of ${showForm(matches)}`, got: showText(got) };
}

/** A header field that is not the expected one. @param expected with its variables */
export function differInHeader(name: string, expected: string, got: string | undefined, values: Variables): Mismatch {
  const isSecret = isSecretName(name) || hasSecret(expected);
  const show = (value: string) => (isSecret ? NOT_SHOWN : oneLine(hideSecrets(value), SHOWN));
  const [wanted, found] = [show(fillText(expected, values)), got === undefined ? 'none' : show(got)];
  return { expected: `${name}: ${wanted}`, got: found === wanted ? 'another one' : found };
}
