import { own } from '../../../core/validation/own';
import { Resource, Template } from './template';

/**
 * The logical ids of a template's resources in the order in which CloudFormation creates them: each after what it refers
 * to and what it depends on.
 */
export function creationOrder({ Resources = {} }: Template): string[] {
  const order = new Set<string>();
  const underWay = new Set<string>();
  const visit = (logicalId: string) => {
    const resource = own(Resources, logicalId);
    if (!resource || underWay.has(logicalId)) return;
    underWay.add(logicalId);
    for (const dependency of listDependencies(resource)) visit(dependency);
    order.add(logicalId);
  };
  Object.keys(Resources).forEach(visit);
  return [...order];
}

export function listDependencies(resource: Resource): string[] {
  const { DependsOn = [] } = resource;
  return [...(typeof DependsOn === 'string' ? [DependsOn] : DependsOn), ...listReferences(resource)];
}

/** What its properties refer to, parameters and the like among it. */
export function listReferences({ Properties }: Resource): string[] {
  return referencesIn(Properties);
}

export function referencesIn(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(referencesIn);
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, argument]) => [
    ...(own(READ, key)?.(argument) ?? []),
    ...referencesIn(argument),
  ]);
}

/** The logical ids in the argument of an intrinsic; what is none of a resource is passed over by its caller. */
const READ: Record<string, ((argument: unknown) => string[]) | undefined> = {
  Ref: (name) => [String(name)],
  'Fn::GetAtt': (argument) => [Array.isArray(argument) ? String(argument[0]) : (String(argument).split('.')[0] ?? '')],
  'Fn::Sub': (argument) => {
    const text = String(Array.isArray(argument) ? argument[0] : argument);
    return [...text.matchAll(/\$\{([^!}.][^}.]*)/g)].map(([, name = '']) => name);
  },
};
