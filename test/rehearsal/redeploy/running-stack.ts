import type { CutoverConfig } from '../../../core/cutover/cutover-config';
import type { Stack, Template } from '../../../rehearsal/template/assembly/template';
import { readStackModel } from '../../../rehearsal/template/model/stack-model';
import { redeploy } from '../../../rehearsal/redeploy/redeploy';
import { Redeployed } from '../../../rehearsal/redeploy/redeployed';
import { AlarmStates } from '../../../rehearsal/aws/services/alarms/alarm-states';
import { ObjectStore } from '../../../rehearsal/aws/services/s3/object-store';
import { SecretStore } from '../../../rehearsal/aws/services/secrets/secret-store';
import type { FunctionSpec } from '../../../rehearsal/functions/function';
import { DeployedStack } from '../../../rehearsal/stack/deployed-stack';
import type { Trust } from '../../../rehearsal/stack/trust';
import { parsePlan } from '../../../core/plan/plan';

const ELB = 'AWS::ElasticLoadBalancingV2';

export type Resources = NonNullable<Template['Resources']>;
type Resource = Resources[string];

/** What a function got, without the address for its response. */
export interface Event {
  readonly RequestType: string;
  readonly LogicalResourceId: string;
  readonly PhysicalResourceId?: string;
  readonly ResourceProperties: Readonly<Record<string, unknown>>;
  readonly OldResourceProperties?: Readonly<Record<string, unknown>>;
}

type Response = { readonly Status: string; readonly Reason?: string; readonly PhysicalResourceId?: string };

export const rule = (properties: object = {}, more: Partial<Resource> = {}): Resource => ({
  Type: 'Custom::DrainshiftWeightedRule',
  Properties: { ServiceToken: { 'Fn::GetAtt': ['Step', 'Arn'] }, SourceGroup: { Ref: 'SourceGroup' }, ...properties },
  ...more,
});

export const group = (properties: object = {}): Resource => ({
  Type: `${ELB}::TargetGroup`,
  Properties: { TargetType: 'ip', Port: 8443, Protocol: 'HTTPS', ...properties },
});

export const listener = (properties: object = {}): Resource => ({
  Type: `${ELB}::Listener`,
  Properties: {
    LoadBalancerArn: { Ref: 'Balancer' },
    Port: 443,
    Protocol: 'HTTPS',
    DefaultActions: [{ Type: 'fixed-response', FixedResponseConfig: { StatusCode: '503' } }],
    ...properties,
  },
});

const config = (groups: Readonly<Record<'source' | 'target', string>>): Partial<CutoverConfig> => ({
  loadBalancerArn: '${Balancer}',
  weightedListenerArn: '${Listener}',
  weightedRuleArn: '${Rule}',
  targetGroupArns: { source: `\${${groups.source}}`, target: `\${${groups.target}}` },
  serviceNames: { source: 'source', target: 'target' },
});

/** The least that is a migration, with a weighted rule. `undefined` takes a resource away. */
export function migration(
  over: Readonly<Record<string, Resource | undefined>> = {},
  groups = { source: 'SourceGroup', target: 'TargetGroup' },
): Resources {
  const all: Record<string, Resource | undefined> = {
    Balancer: { Type: `${ELB}::LoadBalancer`, Properties: { Scheme: 'internal' } },
    Listener: listener(),
    SourceGroup: group(),
    TargetGroup: group(),
    Role: { Type: 'AWS::IAM::Role' },
    Step: {
      Type: 'AWS::Lambda::Function',
      Properties: {
        Runtime: 'nodejs24.x',
        Code: { S3Key: 'abc.zip' },
        Handler: 'index.lock',
        Role: { 'Fn::GetAtt': ['Role', 'Arn'] },
      },
    },
    Lock: {
      Type: 'AWS::Lambda::Function',
      Properties: {
        Runtime: 'nodejs24.x',
        Code: { S3Key: 'abc.zip' },
        Handler: 'index.lock',
        Role: { 'Fn::GetAtt': ['Role', 'Arn'] },
        Environment: { Variables: { DRAINSHIFT_CUTOVER_CONFIG: { 'Fn::Sub': JSON.stringify(config(groups)) } } },
      },
    },
    Machine: {
      Type: 'AWS::StepFunctions::StateMachine',
      Properties: { DefinitionString: { 'Fn::Sub': '{"calls":"${Lock.Arn}"}' }, RoleArn: 'role' },
    },
    Rule: rule(),
    ...over,
  };
  return Object.fromEntries(Object.entries(all).filter((entry): entry is [string, Resource] => entry[1] !== undefined));
}

export const findStack = (template: Template | Resources, over: Partial<Stack> = {}): Stack => ({
  name: 'Shop',
  region: 'us-east-1',
  account: '123456789012',
  template: 'Resources' in template ? template : { Resources: template as Resources },
  files: new Map([['abc', '/nowhere']]),
  images: new Map(),
  ...over,
});

/** A standing stack whose functions are this test. */
export class RunningStack {
  readonly events: Event[] = [];
  /** How the function responds: with success, and the id that there is, unless set. */
  response: (event: Event) => Partial<Response> | undefined = () => ({});
  /** The functions that were put there, by a deployment or before. */
  readonly functions: FunctionSpec[] = [];
  private readonly stack: DeployedStack;

  constructor(template: Template | Resources, trust: Trust = 'everything', over: Partial<Stack> = {}) {
    const { stack, customResources } = readStackModel([findStack(template, over)]);
    const identities = customResources.map(
      ({ logicalId }) => [logicalId, { ref: `${logicalId}-1`, attributes: {} }] as const,
    );
    const model = readStackModel([stack], undefined, { identities: new Map(identities) });
    const account = {
      secrets: new SecretStore(),
      objects: new ObjectStore(),
      alarms: new AlarmStates(),
      functions: {
        put: (spec: FunctionSpec) => void this.functions.push(spec),
        invoke: (_: string, event: unknown) => this.call(event as AskedEvent),
      },
      states: { add: () => undefined },
    };
    this.stack = new DeployedStack(model, account, { trust, plan: parsePlan({}), authority: '' });
    this.stack.settle('CREATE_COMPLETE');
  }

  get live() {
    return this.stack.model.elb;
  }

  get description() {
    return this.stack.description;
  }

  ref(logicalId: string): string {
    return this.stack.model.resources.find(logicalId)?.identity.ref ?? '';
  }

  /** `Update Rule`, in their order. */
  get asked(): string[] {
    return this.events.map(({ RequestType, LogicalResourceId }) => `${RequestType} ${LogicalResourceId}`);
  }

  deploy(template: Template | Resources, over: Partial<Stack> = {}): Promise<Redeployed> {
    return redeploy(this.stack, [findStack(template, over)]);
  }

  private async call({ ResponseURL, ...event }: AskedEvent): Promise<void> {
    this.events.push(event);
    const said = this.response(event);
    if (!said) return;
    const { StackId, RequestId, LogicalResourceId, PhysicalResourceId = `${LogicalResourceId}-1` } = event;
    const response = { Status: 'SUCCESS', PhysicalResourceId, StackId, RequestId, LogicalResourceId, ...said };
    await fetch(ResponseURL, { method: 'PUT', body: JSON.stringify(response) });
  }
}

type AskedEvent = Event & { readonly ResponseURL: string; readonly StackId: string; readonly RequestId: string };
