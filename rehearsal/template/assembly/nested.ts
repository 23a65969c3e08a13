import { Output, Resource, Template } from './template';

const NESTED = 'AWS::CloudFormation::Stack';

/** The template of a nested stack; undefined for one that is not in the assembly. */
type NestedTemplate = (resource: Resource) => Template | undefined;

/**
 * A template with its nested stacks unfolded into it, theirs too: one template that makes the same. Logical ids of a nested
 * stack get the one of its resource in front; its parameters become what they are given, its outputs what they say.
 */
export function unfold(template: Template, findNested: NestedTemplate): Template {
  return Object.entries(template.Resources ?? {}).reduce((whole, [id, resource]) => {
    const nested = resource.Type === NESTED ? findNested(resource) : undefined;
    return nested ? inserted(whole, { id, resource, nested: unfold(nested, findNested) }) : whole;
  }, template);
}

interface Nested {
  readonly id: string;
  readonly resource: Resource;
  readonly nested: Template;
}

function inserted(whole: Template, { id, resource, nested }: Nested): Template {
  const given = (resource.Properties?.Parameters ?? {}) as Record<string, unknown>;
  const names = listNames(id, nested, given);
  const inner = (value: unknown) => rewritten(value, names);
  const outputs = Object.entries(nested.Outputs ?? {}).map(([name, output]) => [
    `Outputs.${name}`,
    inner(output.Value),
  ]);
  const outer = (value: unknown) =>
    rewritten(value, { ...NO_NAMES, attributes: new Map([[id, new Map(outputs as [string, unknown][])]]) });
  const own = Object.entries(nested.Resources ?? {}).map(([name, each]): [string, Resource] => [
    id + name,
    { ...each, ...placed(each, resource, { id, names, inner }) },
  ]);
  const others = Object.entries(whole.Resources ?? {}).filter(([name]) => name !== id);
  const members = own.map(([name]) => name);
  const rest = others.map(([name, each]): [string, Resource] => [
    name,
    {
      ...each,
      ...dependsOn(findList(each.DependsOn).flatMap((on) => (on === id ? members : [on]))),
      Properties: outer(each.Properties) as Resource['Properties'],
    },
  ]);
  const free = Object.entries(nested.Parameters ?? {}).filter(([name]) => !Object.hasOwn(given, name));
  return {
    ...whole,
    Parameters: { ...whole.Parameters, ...prefixed(id, Object.fromEntries(free)) },
    Mappings: { ...whole.Mappings, ...prefixed(id, nested.Mappings ?? {}) },
    Conditions: { ...whole.Conditions, ...prefixed(id, inner(nested.Conditions ?? {}) as Record<string, unknown>) },
    Outputs: outer(whole.Outputs ?? {}) as Record<string, Output>,
    Resources: Object.fromEntries([...rest, ...own]),
  };
}

/** What is about the place of a resource among the others. */
function placed(
  { Condition, DependsOn, Properties }: Resource,
  stack: Resource,
  { id, names, inner }: { id: string; names: Names; inner: (value: unknown) => unknown },
): Partial<Resource> {
  const own = Condition === undefined ? stack.Condition : (names.conditions.get(Condition) ?? Condition);
  return {
    ...dependsOn([...findList(DependsOn).map((name) => id + name), ...findList(stack.DependsOn)]),
    ...(own !== undefined && { Condition: own }),
    Properties: inner(Properties) as Resource['Properties'],
  };
}

function dependsOn(ids: readonly string[]): Partial<Resource> {
  return ids.length > 0 ? { DependsOn: ids } : {};
}

function findList(value: Resource['DependsOn']): readonly string[] {
  return value === undefined ? [] : [value].flat();
}

/** What the names of a template stand for in another one. */
interface Names {
  readonly refs: ReadonlyMap<string, unknown>;
  /** Logical ids whose attributes are those of another. */
  readonly ids: ReadonlyMap<string, string>;
  /** Attributes that have a value, by logical id. */
  readonly attributes: ReadonlyMap<string, ReadonlyMap<string, unknown>>;
  readonly conditions: ReadonlyMap<string, string>;
  readonly mappings: ReadonlyMap<string, string>;
}

const NO_NAMES: Names = {
  refs: new Map(),
  ids: new Map(),
  attributes: new Map(),
  conditions: new Map(),
  mappings: new Map(),
};

function listNames(id: string, nested: Template, given: Readonly<Record<string, unknown>>): Names {
  const own = (members: object = {}) => new Map(Object.keys(members).map((name) => [name, id + name]));
  const ids = own(nested.Resources);
  const parameters = Object.keys(nested.Parameters ?? {}).map(
    (name) => [name, Object.hasOwn(given, name) ? given[name] : { Ref: id + name }] as const,
  );
  return {
    refs: new Map<string, unknown>([...[...ids].map(([name, to]) => [name, { Ref: to }] as const), ...parameters]),
    ids,
    attributes: new Map(),
    conditions: own(nested.Conditions),
    mappings: own(nested.Mappings),
  };
}

function prefixed<T>(id: string, members: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(Object.entries(members).map(([name, member]) => [id + name, member]));
}

function rewritten(value: unknown, names: Names): unknown {
  if (Array.isArray(value)) return value.map((item) => rewritten(item, names));
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value);
  const [only] = entries;
  const rewrite = entries.length === 1 && only ? REWRITES.get(only[0]) : undefined;
  if (rewrite && only) return rewrite(only[1], names, value);
  return Object.fromEntries(entries.map(([key, item]) => [key, rewritten(item, names)]));
}

type Rewrite = (argument: unknown, names: Names, whole: unknown) => unknown;

const REWRITES: ReadonlyMap<string, Rewrite> = new Map<string, Rewrite>(
  Object.entries<Rewrite>({
    Ref: (name, { refs }, whole) => (refs.has(String(name)) ? refs.get(String(name)) : whole),
    Condition: (name, { conditions }) => ({ Condition: conditions.get(String(name)) ?? name }),
    'Fn::GetAtt': (argument, names) => {
      const [id = '', ...rest] = Array.isArray(argument) ? argument.map(String) : String(argument).split('.');
      return findAttribute(id, rest.join('.'), names);
    },
    'Fn::If': (argument, names) => {
      const [condition, ...branches] = argument as unknown[];
      const own = names.conditions.get(String(condition)) ?? condition;
      return { 'Fn::If': [own, ...branches.map((branch) => rewritten(branch, names))] };
    },
    'Fn::FindInMap': (argument, names) => {
      const [map, ...keys] = argument as unknown[];
      const own = typeof map === 'string' ? (names.mappings.get(map) ?? map) : rewritten(map, names);
      return { 'Fn::FindInMap': [own, ...keys.map((key) => rewritten(key, names))] };
    },
    'Fn::Sub': (argument, names) => {
      const [text, variables] = [argument].flat() as [string, Record<string, unknown>?];
      const own = rewritten(variables ?? {}, names) as Record<string, unknown>;
      const found = [...text.matchAll(/\$\{([^!}][^}]*)\}/g)]
        .map(([, name = '']) => name)
        .filter((name) => !Object.hasOwn(own, name));
      const others = found.map((name) => {
        const [id = '', ...rest] = name.split('.');
        const value = rest.length === 0 ? { Ref: name } : { 'Fn::GetAtt': [id, rest.join('.')] };
        return [name, rewritten(value, names)] as const;
      });
      return { 'Fn::Sub': [text, { ...Object.fromEntries(others), ...own }] };
    },
  }),
);

function findAttribute(id: string, attribute: string, { ids, attributes }: Names): unknown {
  const values = attributes.get(id);
  return values?.has(attribute) ? values.get(attribute) : { 'Fn::GetAtt': [ids.get(id) ?? id, attribute] };
}
