import type { TaskDefinition } from '../../tasks/model';
import type { Ready } from '../resources/resources';

/** Members whose names are the user's own. */
const FREE: readonly string[] = ['options', 'dockerLabels', 'driverOpts', 'labels'];

/** A task definition as DescribeTaskDefinition tells of it: the template's properties under the API's names. */
export function buildTaskDefinition({ identity, properties }: Ready): TaskDefinition {
  const arn = identity.ref;
  const [family = '', revision = '1'] = arn.slice(arn.lastIndexOf('/') + 1).split(':');
  const { Tags, ...described } = properties.raw;
  return {
    arn,
    family,
    revision: Number(revision),
    content: apiNames(described) as Record<string, unknown>,
    tags: (apiNames(Tags ?? []) as Record<string, string>[]).map((tag) => ({ ...tag })),
  };
}

function apiNames(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(apiNames);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => {
      const own = apiName(name);
      return [own, FREE.includes(own) ? member : apiNames(member)];
    }),
  );
}

/** `EFSVolumeConfiguration` → `efsVolumeConfiguration`. */
function apiName(name: string): string {
  return name.replace(/^(?:[A-Z]+(?=[A-Z][a-z])|[A-Z])/, (start) => start.toLowerCase());
}
