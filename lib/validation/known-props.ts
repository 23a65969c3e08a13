import { Problems } from '../../core/validation/problems';
import { STRUCTS } from './prop-names';

type Struct = keyof typeof STRUCTS;
type Props = Readonly<Record<string, string>>;

const findProps = (struct: string): Props => STRUCTS[struct as Struct];

/**
 * Rejects props that there are not, in all that a user hands in and in what that is made of. Only TypeScript knows them: what
 * JavaScript misspells would become its default, without an error.
 *
 * @param struct the name of the props' interface
 * @throws Error with a line for each: name, rule, value.
 */
export function checkNames(struct: Struct, props: object | undefined): void {
  const problems = new Problems();
  if (props === undefined) return;
  if (typeof props !== 'object' || Array.isArray(props)) problems.object('props', props, []);
  else checkStruct('', withoutShared(struct, props), struct, problems);
  if (problems.all.length > 0) throw new Error(problems.all.join('\n'));
}

/**
 * What the constructs of a migration are connected by. An app that makes them one by one passes the same object to all of
 * them; and who
 * needs one of these asks for it.
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

function checkStruct(name: string, value: unknown, struct: string, problems: Problems): void {
  const props = findProps(struct);
  const given = problems.object(name, value, Object.keys(props));
  for (const [key, part] of Object.entries(props)) {
    if (part === '' || given[key] === undefined) continue;
    const path = name === '' ? key : `${name}.${key}`;
    if (part.endsWith('[]')) checkList(path, given[key], part.slice(0, -2), problems);
    else checkStruct(path, given[key], part, problems);
  }
}

function checkList(name: string, value: unknown, struct: string, problems: Problems): void {
  if (!Array.isArray(value)) return problems.add(name, 'a list', value);
  value.forEach((item, index) => checkStruct(`${name}[${index}]`, item, struct, problems));
}
