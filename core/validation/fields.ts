import { Problems } from './problems';
import { asObject } from './shapes';

/** What every field has: one sentence of what it is for, and the unit of its value. */
interface Described {
  readonly sentence: string;
  readonly unit?: string;
}

export interface IntegerField extends Described {
  readonly kind: 'integer';
  readonly min: number;
  readonly max: number;
  /** Without a default it must be there. */
  readonly default?: number;
}

/** Whole seconds. A text may say them as a duration: `90s`, `5m`, `1h30m`. */
export interface SecondsField extends Described {
  readonly kind: 'seconds';
  readonly min: number;
  readonly max: number;
  /** Without a default it must be there, unless it is optional. */
  readonly default?: number;
  readonly isOptional?: boolean;
}

export interface NumberField extends Described {
  readonly kind: 'number';
  readonly min: number;
  readonly max: number;
  readonly default: number;
  /** Words that may stand for a number. */
  readonly words?: Readonly<Record<string, number>>;
}

export interface BooleanField extends Described {
  readonly kind: 'boolean';
  readonly default: boolean;
}

export interface ChoiceField extends Described {
  readonly kind: 'choice';
  readonly values: readonly string[];
  /** Without a default it must be there, unless it is optional. */
  readonly default?: string;
  readonly isOptional?: boolean;
}

/** A text that must be there, unless it is optional or has a default. */
export interface TextField extends Described {
  readonly kind: 'text';
  readonly default?: string;
  readonly isOptional?: boolean;
  /** YAML reads a name of digits as a number. */
  readonly allowsNumber?: boolean;
  /** Of the whole text, in what ECMA-262 and other readers of JSON Schema share. */
  readonly pattern: string;
  /** The pattern in words. */
  readonly rule: string;
}

/** Words: a list, or a text with commas; in lower case. */
export interface TokensField extends Described {
  readonly kind: 'tokens';
  /** @default - none */
  readonly default?: readonly string[];
  /** Whether upper case is another word, as in the path of a file. */
  readonly keepsCase?: boolean;
  /** YAML reads a word of digits as a number. */
  readonly allowsNumber?: boolean;
  /** Of each of them, in lower case where case does not count. */
  readonly pattern: string;
  /** The pattern in words. */
  readonly rule: string;
}

/** A list of integers, each of them once. None is given by default. */
export interface IntegersField extends Described {
  readonly kind: 'integers';
  readonly min: number;
  readonly max: number;
  readonly default: readonly number[];
}

/** A rule that spans several values. */
interface Checked<T> {
  readonly check?: (problems: Problems, name: string, value: T) => void;
  /** The part of that rule that JSON Schema can say. */
  readonly schema?: Readonly<Record<string, unknown>>;
}

/** Without a default an absent object has the defaults of its fields, unless it is optional. */
export interface ObjectField extends Described, Checked<Readonly<Record<string, unknown>>> {
  readonly kind: 'object';
  readonly fields: Fields;
  readonly default?: unknown;
  /** An absent one reads as undefined. */
  readonly isOptional?: boolean;
}

export interface ListField extends Described, Checked<readonly never[]> {
  readonly kind: 'list';
  readonly min: number;
  readonly max: number;
  /** The bounds in words. */
  readonly rule: string;
  /** The form of a text that may stand for a list. It is expanded before the list is read. */
  readonly text?: string;
  readonly item: ObjectField;
  /** Another list of the same items, which a table describes once. */
  readonly like?: string | undefined;
  readonly default: readonly unknown[];
}

/** Names that a file chooses, each with a value of one form. None is given by default. */
export interface MapField extends Described {
  readonly kind: 'map';
  /** Of each name. */
  readonly pattern: string;
  /** The pattern in words, and what the values are. */
  readonly rule: string;
  readonly item: TextField | ObjectField;
}

/** Any value of JSON, or none. */
export interface JsonField extends Described {
  readonly kind: 'json';
}

export type Field =
  | IntegerField
  | SecondsField
  | NumberField
  | BooleanField
  | ChoiceField
  | TextField
  | TokensField
  | IntegersField
  | ObjectField
  | ListField
  | MapField
  | JsonField;

/** One contract, once: its reader, its JSON Schema, its table in the docs and its commented file are made from it. */
export type Fields = Readonly<Record<string, Field>>;

/** Whether it must be there: where it, or a part of it, has no default. */
export function isRequired(field: Field): boolean {
  if ('default' in field && field.default !== undefined) return false;
  if (field.kind === 'text' || field.kind === 'seconds' || field.kind === 'choice') return field.isOptional !== true;
  if (field.kind === 'object' && field.isOptional === true) return false;
  return field.kind === 'integer' || (field.kind === 'object' && Object.values(field.fields).some(isRequired));
}

/** What the reader makes of a field. */
export type FieldValue<F extends Field> = F extends SecondsField
  ? F extends { readonly isOptional: true }
    ? number | undefined
    : number
  : F extends IntegerField | NumberField
    ? number
    : F extends BooleanField
      ? boolean
      : F extends ChoiceField
        ? F extends { readonly isOptional: true }
          ? F['values'][number] | undefined
          : F['values'][number]
        : F extends TextField
          ? F extends { readonly isOptional: true }
            ? string | undefined
            : string
          : F extends IntegersField
            ? readonly number[]
            : F extends TokensField
              ? readonly string[]
              : F extends ObjectField
                ? F extends { readonly isOptional: true }
                  ? FieldValues<F['fields']> | undefined
                  : FieldValues<F['fields']>
                : F extends ListField
                  ? readonly FieldValue<F['item']>[]
                  : F extends MapField
                    ? Readonly<Record<string, FieldValue<F['item']>>>
                    : F extends JsonField
                      ? unknown
                      : never;

export type FieldValues<Fs extends Fields> = { readonly [Name in keyof Fs]: FieldValue<Fs[Name]> };

/**
 * Reads an object from outside. Absent fields take their defaults, every problem goes to `problems`.
 *
 * @param prefix before the names of its fields in a message; `name` and a dot, when it is left out
 */
export function readFields<Fs extends Fields>(
  problems: Problems,
  name: string,
  value: unknown,
  fields: Fs,
  prefix = name === '' ? '' : `${name}.`,
): FieldValues<Fs> {
  const raw = problems.object(name, value, Object.keys(fields));
  // Of what is no object no field is missing: that would be the same problem once more.
  const ofFields = value === undefined || asObject(value) ? problems : new Problems();
  const read = Object.entries(fields).map(([key, field]) => [
    key,
    readValue(ofFields, `${prefix}${key}`, raw[key], field),
  ]);
  return Object.fromEntries(read) as FieldValues<Fs>;
}

/** Reads one value from outside; see `readFields`. */
export function readField<F extends Field>(problems: Problems, name: string, value: unknown, field: F): FieldValue<F> {
  return readValue(problems, name, value, field) as FieldValue<F>;
}

function readValue(problems: Problems, name: string, value: unknown, field: Field): unknown {
  switch (field.kind) {
    case 'integer':
      return problems.integer(name, value, field);
    case 'seconds':
      return value === undefined && field.isOptional ? undefined : problems.seconds(name, value, field);
    case 'number':
      return problems.number(name, value, field);
    case 'boolean':
      return problems.boolean(name, value, field.default);
    case 'choice':
      return problems.choice(name, value, field);
    case 'text':
      return problems.text(name, value, field);
    case 'tokens':
      return problems.tokens(name, value, field);
    case 'integers':
      return readIntegers(problems, name, value, field);
    case 'object':
      return readObject(problems, name, value, field);
    case 'list':
      return readList(problems, name, value, field);
    case 'map':
      return readMap(problems, name, value, field);
    case 'json':
      return problems.json(name, value);
  }
}

function readIntegers(problems: Problems, name: string, value: unknown, field: IntegersField): readonly number[] {
  if (value === undefined) return field.default;
  const { min, max } = field;
  const isOne = (item: unknown) => Number.isInteger(item) && (item as number) >= min && (item as number) <= max;
  if (Array.isArray(value) && value.every(isOne) && new Set(value).size === value.length) return value as number[];
  problems.add(name, `a list of integers from ${min} to ${max}, each of them once`, value);
  return field.default;
}

function readObject(problems: Problems, name: string, value: unknown, field: ObjectField): unknown {
  if (value === undefined && field.isOptional === true) return undefined;
  const given = value === undefined ? field.default : value;
  const read = readFields(problems, name, given, field.fields);
  if (typeof given === 'object' && given !== null) field.check?.(problems, name, given as Record<string, unknown>);
  return read;
}

function readList(problems: Problems, name: string, value: unknown, field: ListField): readonly unknown[] {
  if (value === undefined) return field.default;
  if (!Array.isArray(value) || value.length < field.min || value.length > field.max) {
    problems.add(name, field.rule, value);
    return field.default;
  }
  const items = value.map((item, index) => readObject(problems, `${name}[${index}]`, item, field.item));
  field.check?.(problems, name, items as never[]);
  return items;
}

function readMap(problems: Problems, name: string, value: unknown, { pattern, rule, item }: MapField): object {
  if (value === undefined) return {};
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    problems.add(name, rule, value);
    return {};
  }
  const entries = Object.entries(value).map(([key, each]) => {
    if (!new RegExp(pattern).test(key)) problems.add(`${name}.${key}`, rule, key);
    return [key, readValue(problems, `${name}.${key}`, each, item)];
  });
  return Object.fromEntries(entries) as object;
}
