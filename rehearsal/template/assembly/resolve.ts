import { own } from '../../../core/validation/own';
import { UsageError } from '../../errors/usage-error';
import { Resource, Stack } from './template';

/** What a resource is known by once it exists: its `Ref`, and its attributes for `Fn::GetAtt`. */
export interface Identity {
  readonly ref: string;
  readonly attributes: Readonly<Record<string, string>>;
}

/** By logical id. */
export type Identities = ReadonlyMap<string, Identity>;

type Intrinsic = (argument: unknown, resolver: Resolver) => unknown;

/**
 * Resolves the intrinsic functions of a template against the identities that the rehearsal gives to its resources.
 *
 * @see https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html
 */
export class Resolver {
  private readonly conditions = new Map<string, boolean>();

  constructor(
    readonly stack: Stack,
    private readonly identify: (logicalId: string, resource: Resource) => Identity,
    /** What cannot be known is asked for; else its name stands for it, where only names have to differ. */
    private readonly unknown: 'asked' | 'named' = 'named',
  ) {}

  /** A copy of `value` with every intrinsic replaced; `AWS::NoValue` takes its key with it. */
  resolve(value: unknown): unknown {
    if (Array.isArray(value)) return value.map((item) => this.resolve(item)).filter((item) => item !== undefined);
    if (typeof value !== 'object' || value === null) return value;
    const entries = Object.entries(value as Record<string, unknown>);
    const [only] = entries;
    const intrinsic = entries.length === 1 && only ? own(INTRINSICS, only[0]) : undefined;
    if (intrinsic && only) return intrinsic(only[1], this);
    return Object.fromEntries(
      entries.map(([key, item]) => [key, this.resolve(item)] as const).filter(([, item]) => item !== undefined),
    );
  }

  text(value: unknown): string {
    const resolved = this.resolve(value);
    return typeof resolved === 'string' ? resolved : JSON.stringify(resolved);
  }

  properties(resource: Resource): Record<string, unknown> {
    return this.resolve(resource.Properties ?? {}) as Record<string, unknown>;
  }

  ref(name: string): unknown {
    const { stack } = this;
    const pseudo: Record<string, unknown> = {
      'AWS::AccountId': stack.account,
      'AWS::Region': stack.region,
      'AWS::Partition': 'aws',
      'AWS::URLSuffix': 'amazonaws.com',
      'AWS::StackName': stack.name,
      'AWS::StackId': `arn:aws:cloudformation:${stack.region}:${stack.account}:stack/${stack.name}/rehearsal`,
      'AWS::NotificationARNs': [],
    };
    if (name === 'AWS::NoValue') return undefined;
    if (Object.hasOwn(pseudo, name)) return pseudo[name];
    const parameter = own(stack.template.Parameters, name);
    if (parameter) return this.parameter(name, parameter);
    return this.findIdentity(name).ref;
  }

  attribute(logicalId: string, attribute: string): string {
    const known = own(this.findIdentity(logicalId).attributes, attribute);
    // Attributes of things that a rehearsal does not build (a subnet's id) only have to be the same at each mention.
    return known ?? `${logicalId}.${attribute}`;
  }

  condition(name: string): boolean {
    const known = this.conditions.get(name);
    if (known !== undefined) return known;
    const value = this.resolve(own(this.stack.template.Conditions, name)) === true;
    this.conditions.set(name, value);
    return value;
  }

  mapping(path: readonly unknown[]): unknown {
    const [map, top, second] = path.map((part) => this.text(part));
    return own(own(own(this.stack.template.Mappings, map ?? ''), top ?? ''), second ?? '');
  }

  imported(name: string): string {
    const { stack } = this;
    const value = stack.parameters?.get(name) ?? stack.importValue?.(name);
    if (value === undefined && this.unknown === 'asked') {
      throw askedFor(name, `which '${stack.name}' imports from outside of the assembly`);
    }
    return value ?? name;
  }

  private parameter(name: string, parameter: Parameter): unknown {
    const { stack } = this;
    const ofStore = isOfStore(parameter);
    const given =
      stack.parameters?.get(name) ?? (ofStore ? stack.parameters?.get(String(parameter.Default)) : undefined);
    if (given !== undefined) return parameterValue({ Type: parameter.Type, Default: given });
    if (this.unknown === 'asked' && (ofStore || parameter.Default === undefined)) {
      // By its name in the store, which people know.
      if (ofStore) throw askedFor(String(parameter.Default), `a parameter in SSM that '${stack.name}' reads`);
      throw askedFor(name, `a parameter of '${stack.name}' without a default`);
    }
    return parameterValue(parameter);
  }

  private findIdentity(logicalId: string): Identity {
    const resource = own(this.stack.template.Resources, logicalId);
    if (!resource)
      throw new UsageError(`the template of '${this.stack.name}' must define what it refers to, got '${logicalId}'`);
    return this.identify(logicalId, resource);
  }
}

function askedFor(name: string, what: string): UsageError {
  return new UsageError(`'--parameter' must give a value to '${name}', ${what}, got none: --parameter '${name}=VALUE'`);
}

/** Its default is not the value, but the name of the parameter in SSM that holds it. */
export function isOfStore({ Type }: Pick<Parameter, 'Type'>): boolean {
  return Type.startsWith('AWS::SSM::Parameter::Value<');
}

interface Parameter {
  readonly Type: string;
  readonly Default?: unknown;
}

/** A list comes as text with commas. */
function parameterValue({ Type, Default = '' }: Parameter): unknown {
  const isList = Type === 'CommaDelimitedList' || Type.includes('List<');
  return isList ? String(Default).split(',').map((item) => item.trim()) : Default; // prettier-ignore
}

const findList = (argument: unknown): unknown[] => (Array.isArray(argument) ? argument : [argument]);

const INTRINSICS: Record<string, Intrinsic | undefined> = {
  Ref: (name, resolver) => resolver.ref(String(name)),
  Condition: (name, resolver) => resolver.condition(String(name)),
  'Fn::GetAtt': (argument, resolver) => {
    const [logicalId = '', ...attribute] = Array.isArray(argument) ? argument.map(String) : String(argument).split('.');
    return resolver.attribute(logicalId, attribute.join('.'));
  },
  'Fn::Join': (argument, resolver) => {
    const [separator, items] = findList(argument);
    return findList(resolver.resolve(items))
      .map((item) => resolver.text(item))
      .join(String(separator));
  },
  'Fn::Sub': (argument, resolver) => {
    const [template, variables = {}] = findList(argument);
    const given = variables as Record<string, unknown>;
    return String(template).replace(/\$\{(!?)([^}]+)\}/g, (whole, literal: string, name: string) => {
      if (literal === '!') return whole.replace('!', '');
      if (Object.hasOwn(given, name)) return resolver.text(given[name]);
      return name.includes('.') ? resolver.text({ 'Fn::GetAtt': name }) : resolver.text(resolver.ref(name));
    });
  },
  'Fn::Select': (argument, resolver) => {
    const [index, items] = findList(argument);
    return findList(resolver.resolve(items))[Number(resolver.resolve(index))];
  },
  'Fn::Split': (argument, resolver) => {
    const [separator, text] = findList(argument);
    return resolver.text(text).split(String(separator));
  },
  'Fn::If': (argument, resolver) => {
    const [condition, yes, no] = findList(argument);
    return resolver.resolve(resolver.condition(String(condition)) ? yes : no);
  },
  'Fn::Equals': (argument, resolver) => {
    const [a, b] = findList(argument);
    return resolver.text(a) === resolver.text(b);
  },
  'Fn::Not': (argument, resolver) => resolver.resolve(findList(argument)[0]) !== true,
  'Fn::And': (argument, resolver) => findList(argument).every((item) => resolver.resolve(item) === true),
  'Fn::Or': (argument, resolver) => findList(argument).some((item) => resolver.resolve(item) === true),
  'Fn::FindInMap': (argument, resolver) => resolver.mapping(findList(argument)),
  'Fn::Base64': (argument, resolver) => Buffer.from(resolver.text(argument)).toString('base64'),
  'Fn::GetAZs': (_, resolver) => ['a', 'b', 'c'].map((zone) => `${resolver.stack.region}${zone}`),
  'Fn::ImportValue': (argument, resolver) => resolver.imported(resolver.text(argument)),
};
