import type { AlarmSpec } from '../../aws/services/alarms/alarm-states';
import type { StackOutput } from '../../aws/services/stacks/stacks-service';
import type { MachineDescription } from '../../state-machine/model';
import { deployedIn } from './deployed';
import { Resources } from '../resources/resources';

/** The outputs of a stack, resolved. */
export function buildOutputs(resources: Resources): StackOutput[] {
  const { stack, resolver } = resources;
  return Object.entries(stack.template.Outputs ?? {})
    .filter(([, { Condition }]) => Condition === undefined || resolver.condition(Condition))
    .map(([key, { Value, Description, Export }]) => ({
      key,
      value: resources.text(Value),
      ...(Description !== undefined && { description: Description }),
      ...(Export && { exportName: resources.text(Export.Name) }),
    }));
}

const ALARMS: Readonly<Record<string, AlarmSpec['kind']>> = {
  'AWS::CloudWatch::Alarm': 'metric',
  'AWS::CloudWatch::CompositeAlarm': 'composite',
};

/** The alarms of the template, and those of elsewhere that the cutover watches. */
export function buildAlarms(resources: Resources, machine: MachineDescription): AlarmSpec[] {
  const own = ownAlarms(resources);
  const elsewhere = watchedAlarms(machine).filter((name) => !own.some((alarm) => alarm.name === name));
  const { region, account } = resources.stack;
  const buildArn = (name: string) => `arn:aws:cloudwatch:${region}:${account}:alarm:${name}`;
  return [
    ...own,
    ...elsewhere.map((name) => ({ name, arn: buildArn(name), kind: 'metric' as const, description: undefined })),
  ];
}

/** The names of the alarms that the cutover checks; those whose ALARM stops it come first. */
export function watchedAlarms(machine: MachineDescription): string[] {
  const { alarms } = deployedIn(machine).deployed;
  if (!alarms) return [];
  return [alarms.target, alarms.source].flatMap(({ metric, other }) => [...metric, ...other]);
}

function ownAlarms(resources: Resources): AlarmSpec[] {
  return resources
    .where((type) => Object.hasOwn(ALARMS, type))
    .map(({ type, identity, properties }) => ({
      name: identity.ref,
      arn: identity.attributes.Arn ?? '',
      kind: ALARMS[type] ?? 'metric',
      description: properties.optionalString('AlarmDescription'),
    }));
}
