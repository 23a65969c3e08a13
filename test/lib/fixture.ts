import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App, Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { Certificate, ICertificate } from 'aws-cdk-lib/aws-certificatemanager';
import { Vpc } from 'aws-cdk-lib/aws-ec2';
import type { CheckedAlarms } from '../../core/judge/alarm-check';
import {
  Migration,
  MigrationLoadBalancer,
  MigrationLoadBalancerProps,
  MigrationProps,
  StickyTargetGroup,
} from '../../lib';

export interface Resource {
  readonly Type: string;
  readonly Properties: Record<string, unknown>;
  readonly DependsOn?: readonly string[];
}

export type Resources = Readonly<Record<string, Resource>>;

/** One for all stacks of a test file: each would stage the same bundles again. */
const outdir = mkdtempSync(join(tmpdir(), 'drainshift-lib-'));
afterAll(() => rmSync(outdir, { recursive: true, force: true }));

/**
 * @param validated fails the test over what CloudFormation would reject. `passes-validation.test.ts` asks for it: its rules
 *   take longer to load than everything else that a test file does.
 */
export function newStack({ validated = false } = {}): Stack {
  const context = {
    '@aws-cdk/core:validateAgainstDefaultRules': true,
    // Where each resource was made: a quarter of the time of a synthesis, and no test reads it.
    'aws:cdk:disable-creation-stack-traces': true,
  };
  return new Stack(
    new App({ context, outdir, builtinCloudFormationValidation: validated, treeMetadata: false }),
    'Test',
  );
}

export function certificateIn(stack: Stack): ICertificate {
  const arn = 'arn:aws:acm:eu-central-1:111122223333:certificate/11111111-2222-3333-4444-555555555555';
  const present = stack.node.tryFindChild('Certificate') as unknown as ICertificate | undefined;
  return present ?? Certificate.fromCertificateArn(stack, 'Certificate', arn);
}

/** A migration as a user writes it, with other props over it. */
export function newMigration(stack: Stack, props: Partial<MigrationProps> = {}): Migration {
  return new Migration(stack, 'Migration', {
    certificate: certificateIn(stack),
    domainName: 'shop.example.com',
    source: { upstreamUrl: 'http://old.internal:8080' },
    target: { upstreamUrl: 'https://new.internal' },
    ...props,
  });
}

let migration: Template | undefined;

/** The template of a migration with nothing but its required props; made once, because nothing changes it. */
export function defaultMigration(): Template {
  if (migration === undefined) {
    const stack = newStack();
    newMigration(stack);
    migration = Template.fromStack(stack);
  }
  return migration;
}

export function newGroups(stack: Stack): { vpc: Vpc; sourceGroup: StickyTargetGroup; targetGroup: StickyTargetGroup } {
  const vpc = new Vpc(stack, 'Vpc');
  return {
    vpc,
    sourceGroup: new StickyTargetGroup(stack, 'SourceGroup', { vpc }),
    targetGroup: new StickyTargetGroup(stack, 'TargetGroup', { vpc }),
  };
}

export function newLoadBalancer(stack: Stack, props: Partial<MigrationLoadBalancerProps> = {}): MigrationLoadBalancer {
  return new MigrationLoadBalancer(stack, 'LoadBalancer', {
    ...newGroups(stack),
    certificate: certificateIn(stack),
    ...props,
  });
}

export function listResources(template: Template, type: string): Resources {
  return template.findResources(type) as Resources;
}

/** The only resource of its type whose logical id matches. */
export function resourceLike(template: Template, type: string, id: RegExp): [string, Resource] {
  const found = Object.entries(listResources(template, type)).filter(([name]) => id.test(name));
  expect(found.map(([name]) => name)).toHaveLength(1);
  return found[0] as [string, Resource];
}

/** The document of a state machine, its ARNs replaced by ones that look real. */
export function findDefinition(template: Template): StateMachineDefinition {
  const [, machine] = resourceLike(template, 'AWS::StepFunctions::StateMachine', /./);
  return JSON.parse(resolveText(machine.Properties.DefinitionString)) as StateMachineDefinition;
}

export interface StateMachineDefinition {
  readonly StartAt: string;
  readonly TimeoutSeconds: number;
  readonly States: Readonly<Record<string, State>>;
}

export interface State {
  readonly Type: string;
  readonly Next?: string;
  readonly Default?: string;
  readonly Choices?: readonly ({ readonly Next: string } & Record<string, unknown>)[];
  readonly Retry?: readonly { readonly ErrorEquals: string[]; readonly MaxAttempts?: number }[];
  readonly Catch?: readonly { readonly ErrorEquals: string[]; readonly Next: string; readonly ResultPath?: string }[];
  readonly TimeoutSeconds?: number;
  readonly SecondsPath?: string;
  readonly OutputPath?: string;
  readonly Error?: string;
  readonly Parameters?: { readonly FunctionName: string; readonly Payload?: Record<string, unknown> };
}

/** Text out of `Fn::Join`, references out of their logical ids. */
export function resolveText(value: unknown): string {
  if (typeof value === 'string') return value;
  const intrinsic = value as { 'Fn::Join'?: [string, unknown[]]; Ref?: string; 'Fn::GetAtt'?: [string, string] };
  if (intrinsic['Fn::Join']) return intrinsic['Fn::Join'][1].map(resolveText).join(intrinsic['Fn::Join'][0]);
  if (intrinsic['Fn::GetAtt']) return `arn:aws:lambda:eu-central-1:111122223333:function:${intrinsic['Fn::GetAtt'][0]}`;
  if (intrinsic.Ref === 'AWS::Partition') return 'aws';
  return intrinsic.Ref ?? '';
}

/** The alarms that the state machine tells its executions to heed. */
export function alarmsIn(template: Template): CheckedAlarms {
  return findDefinition(template).States.Lock?.Parameters?.Payload?.alarms as CheckedAlarms;
}
