import { Construct } from 'constructs';
import { oneLine } from '../../core/text/one-line';
import { Problems } from '../../core/validation/problems';
import { ENUMS, STRUCTS, TYPES } from './prop-names';
import { isLater } from './validation';

type Struct = keyof typeof STRUCTS;
type Props = Readonly<Record<string, string>>;

const findProps = (struct: string): Props => STRUCTS[struct as Struct];

/**
 * Rejects props that there are not, that are missing, or that are of another kind, in all that a user hands in and in what that is
 * made of. Only TypeScript knows them: what JavaScript misspells would become its default, without an error. The structs of the
 * CDK itself are not looked into, because a newer CDK has props that this version does not know.
 *
 * @param struct the name of the props' interface
 * @returns the props
 * @throws Error with a line for each: name, rule, value.
 */
export function checkNames<T extends object | undefined>(struct: Struct, props: T): T {
  const problems = new Problems(show);
  const required = Object.values(findProps(struct)).some((kind) => !kind.endsWith('?'));
  const given: unknown = props;
  if (given === undefined && !required) return props;
  if (!isObject(given) || isLater(given)) problems.add('props', 'an object', given);
  else checkStruct('', withoutShared(struct, given), struct, problems);
  if (problems.all.length > 0) throw new Error(problems.all.join('\n'));
  return props;
}

/**
 * What the constructs of a migration are connected by. An app that makes them one by one passes the same object to all of them.
 */
const SHARED = ['vpc', 'cluster', 'loadBalancer', 'source', 'target', 'adminSecret', 'cutover'];

function withoutShared(struct: Struct, props: object): object {
  const isMeant = (name: string) => !SHARED.includes(name) || Object.hasOwn(findProps(struct), name);
  return Object.fromEntries(Object.entries(props).filter(([name]) => isMeant(name)));
}

/** Of the props of one construct those that another one has as well. */
export function findOnly<T extends object>(struct: Struct, props: T): T {
  const known = Object.entries(props).filter(([name]) => Object.hasOwn(findProps(struct), name));
  return Object.fromEntries(known) as T;
}

function checkStruct(name: string, given: object, struct: string, problems: Problems): void {
  const props = findProps(struct);
  const join = (key: string) => (name === '' ? key : `${name}.${key}`);
  for (const key of Object.keys(given)) {
    if (!Object.hasOwn(props, key)) {
      problems.add(join(key), `one of ${Object.keys(props).join(', ')}`, key);
    }
  }
  for (const [key, kind] of Object.entries(props)) {
    const value = (given as Record<string, unknown>)[key];
    if (value === undefined && kind.endsWith('?')) continue;
    checkValue(join(key), value, kind.replace('?', ''), problems);
  }
}

function checkValue(name: string, value: unknown, kind: string, problems: Problems): void {
  const each = kind.slice(0, -2);
  if (kind.endsWith('[]')) {
    if (isLater(value)) return;
    if (!Array.isArray(value)) problems.add(name, 'a list', value);
    else value.forEach((item, index) => checkValue(`${name}[${index}]`, item, each, problems));
  } else if (kind.endsWith('{}')) {
    if (isLater(value)) return;
    if (!isObject(value)) problems.add(name, 'an object', value);
    else Object.entries(value).forEach(([key, item]) => checkValue(`${name}.${key}`, item, each, problems));
  } else if (Object.hasOwn(STRUCTS, kind)) {
    if (isLater(value)) problems.add(name, 'known at synthesis', value);
    else if (!isObject(value)) problems.add(name, 'an object', value);
    else checkStruct(name, value, kind, problems);
  } else checkSingle(name, value, kind, problems);
}

function checkSingle(name: string, value: unknown, kind: string, problems: Problems): void {
  const rule = isLater(value) ? undefined : findBrokenRule(value, kind);
  if (rule !== undefined) problems.add(name, rule, value);
}

/** Of a value that no struct is meant by. */
function findBrokenRule(value: unknown, kind: string): string | undefined {
  if (kind === '') return value === undefined || value === null ? 'given' : undefined;
  if (Object.hasOwn(ENUMS, kind)) {
    const values = listValues(ENUMS[kind] ?? {});
    return values.includes(value) ? undefined : `one of ${values.map((each) => JSON.stringify(each)).join(', ')}`;
  }
  if (Object.hasOwn(TYPES, kind)) {
    return isOfType(value, TYPES[kind] ?? '') ? undefined : `${/^[AEIOU]/.test(kind) ? 'an' : 'a'} ${kind}`;
  }
  if (typeof value === kind && !Number.isNaN(value)) return undefined;
  return kind === 'boolean' ? 'true or false' : `a ${kind}`;
}

/** Of an enum of numbers TypeScript has the names as well. */
function listValues(members: object): unknown[] {
  const values: unknown[] = Object.values(members);
  return values.some((value) => typeof value === 'number')
    ? values.filter((value) => typeof value === 'number')
    : values;
}

function isOfType(value: unknown, mark: string): boolean {
  if (!isObject(value)) return false;
  if (mark === '{}') return true;
  // A plain object is none of a class.
  return mark === '' ? Object.getPrototypeOf(value) !== Object.prototype : mark in value;
}

const isObject = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function show(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (Construct.isConstruct(value)) return `the ${value.constructor.name} '${value.node.path}'`;
  if (isLater(value)) return 'a token';
  if (typeof value === 'function') return 'a function';
  if (typeof value === 'number') return String(value);
  if (isObject(value) && Object.getPrototypeOf(value) !== Object.prototype)
    return `a ${(value.constructor as { name?: string } | undefined)?.name ?? 'value'}`;
  try {
    return oneLine(JSON.stringify(value));
  } catch {
    return 'an object';
  }
}
