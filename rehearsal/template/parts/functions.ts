import { basename } from 'node:path';
import { CONFIG_VARIABLE } from '../../../core/cutover/cutover-config';
import { UsageError } from '../../errors/usage-error';
import type { FunctionSpec } from '../../functions/function';
import type { MachineDescription } from '../../state-machine/model';
import { Resources } from '../resources/resources';

export const STATE_MACHINE = 'AWS::StepFunctions::StateMachine';

/** Every Lambda function whose code is an asset of the assembly and runs on Node. */
export function buildFunctions(resources: Resources): FunctionSpec[] {
  return resources.ofType('AWS::Lambda::Function').flatMap(({ identity, properties }) => {
    if (!properties.string('Runtime', '').startsWith('nodejs')) return [];
    const key = properties.object('Code').optionalString('S3Key');
    const folder = key === undefined ? undefined : resources.stack.files.get(basename(key).replace(/\.zip$/, ''));
    if (folder === undefined) return [];
    const role = properties.string('Role');
    return [
      {
        arn: identity.attributes.Arn ?? '',
        name: identity.ref,
        folder,
        handler: properties.string('Handler'),
        timeoutSeconds: properties.number('Timeout', 3),
        environment: properties.object('Environment').record('Variables'),
        role: roleName(resources, role),
      },
    ];
  });
}

/** The logical id of a role of the template: its rights are known by it. Another one has its ARN. */
export function roleName(resources: Resources, arn: string): string {
  return resources.ofType('AWS::IAM::Role').find(({ identity }) => identity.attributes.Arn === arn)?.logicalId ?? arn;
}

/** The state machines that call functions of the cutover. Another one may be of a kind that cannot be run here. */
export function buildMachines(resources: Resources): MachineDescription[] {
  const steps = buildFunctions(resources).filter(({ environment }) => Object.hasOwn(environment, CONFIG_VARIABLE));
  return resources.ofType(STATE_MACHINE).flatMap(({ identity, logicalId, properties }) => {
    const definition = properties.has('DefinitionString') ? properties.string('DefinitionString') : '';
    if (!steps.some(({ arn }) => definition.includes(arn))) return [];
    checkDefinition(logicalId, definition);
    return [
      {
        arn: identity.ref,
        name: identity.attributes.Name ?? '',
        definition,
        roleArn: properties.string('RoleArn'),
        createdAt: new Date(),
      },
    ];
  });
}

/** Step Functions would refuse it at the deployment. CloudFormation escapes nothing of what it puts into the text. */
function checkDefinition(logicalId: string, definition: string): void {
  try {
    JSON.parse(definition);
  } catch (error) {
    throw new UsageError(
      `'DefinitionString' of the state machine '${logicalId}' must be JSON, got ${(error as Error).message}: ` +
        'a name that is put into it may have quotes or backslashes',
    );
  }
}

/** An EventBridge rule on the status of executions, and the functions that it calls. */
export interface StatusRule {
  readonly machineArns: readonly string[];
  readonly statuses: readonly string[];
  readonly functionArns: readonly string[];
}

export function buildStatusRules(resources: Resources): StatusRule[] {
  return resources.ofType('AWS::Events::Rule').flatMap(({ properties }) => {
    if (!properties.has('EventPattern') || properties.string('State', 'ENABLED') === 'DISABLED') return [];
    const pattern = properties.object('EventPattern');
    if (!pattern.strings('source').includes('aws.states')) return [];
    const detail = pattern.object('detail');
    return [
      {
        machineArns: detail.strings('stateMachineArn'),
        statuses: detail.strings('status'),
        functionArns: properties.list('Targets').map((target) => target.string('Arn')),
      },
    ];
  });
}
