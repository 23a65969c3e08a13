import { basename } from 'node:path';
import type { FunctionSpec } from '../functions/function';
import type { MachineDescription } from '../state-machine/model';
import { UsageError } from '../usage-error';
import { Resources } from './resources';

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
        role:
          resources.ofType('AWS::IAM::Role').find((known) => known.identity.attributes.Arn === role)?.logicalId ?? role,
      },
    ];
  });
}

export function buildMachines(resources: Resources): MachineDescription[] {
  return resources.ofType('AWS::StepFunctions::StateMachine').map(({ logicalId, identity, properties }) => {
    const definition = properties.optionalString('DefinitionString');
    if (definition === undefined)
      throw new UsageError(`'${logicalId}' must have its definition in the template, got one elsewhere`);
    return {
      arn: identity.ref,
      name: identity.attributes.Name ?? '',
      definition,
      roleArn: properties.string('RoleArn'),
      createdAt: new Date(),
    };
  });
}

/** An EventBridge rule on the status of executions, and the functions that it calls. */
export interface StatusRule {
  readonly machineArns: readonly string[];
  readonly statuses: readonly string[];
  readonly functionArns: readonly string[];
}

export function buildStatusRules(resources: Resources): StatusRule[] {
  return resources.ofType('AWS::Events::Rule').flatMap(({ properties }) => {
    if (!properties.has('EventPattern')) return [];
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
