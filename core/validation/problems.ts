import { CutoverError } from '../errors/errors';
import { hideCredentials } from '../text/credentials';
import { oneLine } from '../text/one-line';
import { parseDuration } from './duration';
import { own } from './own';

/** An unknown key is a name, too. */
const MAX_NAME = 200;

/** What is known of a value beside what it is. */
export interface FromFile {
  /** Where a name is in the file that it comes from. */
  readonly findLine?: (name: string) => number | undefined;
  /** How its value is written there. */
  readonly findSource?: (name: string) => string | undefined;
}

/**
 * Reads untrusted values one by one and collects every problem, so that a person fixes a file once and not ten times.
 * Each problem is one line: name, rule, value.
 */
export class Problems {
  private readonly lines: string[] = [];
  private readonly names: string[] = [];

  /**
   * @param show a value as a message has it
   */
  constructor(
    private readonly show: (value: unknown) => string = showJson,
    private readonly file: FromFile = {},
  ) {}

  add(name: string, rule: string, value: unknown): void {
    this.addShown(name, rule, this.show(value));
  }

  private addShown(name: string, rule: string, shown: string): void {
    const line = this.file.findLine?.(name);
    const where = line === undefined ? '' : ` (line ${line})`;
    this.names.push(name);
    this.lines.push(`'${oneLine(name, MAX_NAME)}' must be ${rule}, got ${hideCredentials(shown)}${where}`);
  }

  /**
   * Whether there is one of this value, of a part of it, or of what it is a part of: what was read is not what was given then, and a
   * rule between it and others would say the same once more, or mislead.
   */
  isAbout(name: string): boolean {
    const isIn = (part: string, whole: string) => /^[.[]|^$/.test(part.slice(whole.length)) && part.startsWith(whole);
    return this.names.some((each) => isIn(each, name) || isIn(name, each));
  }

  get all(): readonly string[] {
    return this.lines;
  }

  /** @throws CutoverError with every line when there is at least one problem. */
  throwIfAny(code: 'PlanInvalid' | 'ConfigInvalid' | 'ScenarioInvalid'): void {
    if (this.lines.length > 0) throw new CutoverError(code, this.lines.join('\n'));
  }

  /** An object with no keys but `known`; an absent or wrong value reads as an empty object. */
  object(name: string, value: unknown, known: readonly string[]): Record<string, unknown> {
    if (value === undefined) return {};
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      this.add(name, 'an object', value);
      return {};
    }
    for (const key of Object.keys(value)) {
      if (!known.includes(key)) this.add(name === '' ? key : `${name}.${key}`, `one of ${known.join(', ')}`, key);
    }
    return value as Record<string, unknown>;
  }

  integer(name: string, value: unknown, bounds: { min: number; max: number; default?: number }): number {
    if (value === undefined && bounds.default !== undefined) return bounds.default;
    if (Number.isInteger(value) && (value as number) >= bounds.min && (value as number) <= bounds.max) {
      return value as number;
    }
    this.add(name, `an integer from ${bounds.min} to ${bounds.max}`, value);
    return bounds.default ?? bounds.min;
  }

  /** Whole seconds, as a number or as a duration: `90s`, `5m`, `1h30m`. */
  seconds(name: string, value: unknown, bounds: { min: number; max: number; default?: number }): number {
    if (typeof value !== 'string') return this.integer(name, value, bounds);
    const seconds = parseDuration(value);
    if (seconds !== undefined && seconds >= bounds.min && seconds <= bounds.max) return seconds;
    this.add(name, `from ${bounds.min} to ${bounds.max} seconds, as a number or as a duration (90s, 5m, 1h30m)`, value);
    return bounds.default ?? bounds.min;
  }

  /** @param bounds with `words`: those that may stand for a number */
  number(
    name: string,
    value: unknown,
    bounds: { min: number; max: number; default: number; words?: Readonly<Record<string, number>> },
  ): number {
    if (value === undefined) return bounds.default;
    if (typeof value === 'number' && value >= bounds.min && value <= bounds.max) return value;
    const { words = {} } = bounds;
    const word = typeof value === 'string' ? own(words, value) : undefined;
    if (word !== undefined) return word;
    const names = Object.keys(words);
    const other = names.length === 0 ? '' : `, or one of ${names.join(', ')}`;
    this.add(name, `a number from ${bounds.min} to ${bounds.max}${other}`, value);
    return bounds.default;
  }

  boolean(name: string, value: unknown, fallback: boolean): boolean {
    if (value === undefined) return fallback;
    if (typeof value === 'boolean') return value;
    this.add(name, 'true or false', value);
    return fallback;
  }

  /** YAML 1.2 reads a bare `on` or `off` as text, but people write `true` and `false`. */
  choice(
    name: string,
    value: unknown,
    form: { values: readonly string[]; default?: string; isOptional?: boolean },
  ): string | undefined {
    const { values, default: fallback = form.isOptional ? undefined : values[0] } = form;
    if (value === undefined && (form.default !== undefined || form.isOptional)) return fallback;
    const isSwitch = typeof value === 'boolean' && (values.includes('on') || values.includes('off'));
    const word = isSwitch ? (value ? 'on' : 'off') : value;
    if (typeof word === 'string' && values.includes(word)) return word;
    this.add(name, values.length === 1 ? `'${values[0]}'` : `one of ${values.join(', ')}`, word);
    return fallback;
  }

  /** @param form without `isOptional` or a default it must be there, and a wrong one reads as an empty text */
  text(
    name: string,
    value: unknown,
    form: { pattern: string; rule: string; default?: string; isOptional?: boolean; allowsNumber?: boolean },
  ): string | undefined {
    const fallback = form.default ?? (form.isOptional ? undefined : '');
    if (value === undefined && (form.default !== undefined || form.isOptional)) return fallback;
    const text = form.allowsNumber && typeof value === 'number' ? this.spell(name, value) : value;
    if (typeof text === 'string' && new RegExp(form.pattern).test(text)) return text;
    this.add(name, form.rule, value);
    return fallback;
  }

  /** A number that stands for a text is that text: `01067`, `1.0`, a card with more digits than a number can hold. */
  private spell(name: string, value: number): string | undefined {
    const source = this.file.findSource?.(name);
    if (source !== undefined) return source;
    return Number.isInteger(value) && !Number.isSafeInteger(value) ? undefined : `${value}`;
  }

  /** Any value of JSON: a number that JSON would write with other digits is a text, and needs quotes. */
  json(name: string, value: unknown): unknown {
    if (typeof value === 'number') this.checkDigits(name, value);
    else if (Array.isArray(value)) value.forEach((item, index) => this.json(`${name}[${index}]`, item));
    else if (typeof value === 'object' && value !== null) {
      for (const [key, item] of Object.entries(value)) this.json(`${name}.${key}`, item);
    }
    return value;
  }

  private checkDigits(name: string, value: number): void {
    const source = this.file.findSource?.(name) ?? `${value}`;
    if (!keepsDigits(source, value)) this.addShown(name, 'a number that JSON can write, or a text in quotes', source);
  }

  /** Words of a list, or of a text with commas; in lower case unless case counts. */
  tokens(
    name: string,
    value: unknown,
    field: {
      pattern: string;
      rule: string;
      default?: readonly string[];
      allowsNumber?: boolean;
      keepsCase?: boolean;
    },
  ): readonly string[] {
    const { default: fallback = [] } = field;
    if (value === undefined) return fallback;
    const items: readonly unknown[] = typeof value === 'string' ? value.split(',') : [value].flat();
    const tokens = items.map((item) => spellToken(item, field));
    const form = new RegExp(field.pattern);
    if (tokens.every((token) => form.test(token))) return tokens;
    this.add(name, field.rule, value);
    return fallback;
  }
}

/** Of what is no word: an empty text. */
function spellToken(item: unknown, field: { allowsNumber?: boolean; keepsCase?: boolean }): string {
  const text = field.allowsNumber && typeof item === 'number' ? String(item) : item;
  if (typeof text !== 'string') return '';
  return field.keepsCase ? text.trim() : text.trim().toLowerCase();
}

function showJson(value: unknown): string {
  // JSON has no word for them: YAML has `.inf` and `.nan`.
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
  return value === undefined ? 'nothing' : oneLine(JSON.stringify(value) ?? typeof value);
}

/** Whether JSON has this number with the value that was written: no `01067`, `0x1f`, `.inf`, and not too many digits. */
function keepsDigits(source: string, value: number): boolean {
  return /^[-+]?(0|[1-9]\d*)?(\.\d*)?(e[-+]?\d+)?$/i.test(source) && normalize(source) === normalize(`${value}`);
}

/** Sign, digits without zeros around them, and the power of ten that they count. */
function normalize(number: string): string {
  const [, sign = '', whole = '', part = '', power = '0'] = /^([-+]?)(\d*)\.?(\d*)(?:e(.*))?$/i.exec(number) ?? [
    number,
  ];
  const digits = `${whole}${part}`.replace(/^0+/, '');
  const significant = digits.replace(/0+$/, '');
  if (significant === '') return '0';
  const exponent = Number(power) - part.length + digits.length - significant.length;
  return `${sign === '-' ? sign : ''}${significant}e${exponent}`;
}
