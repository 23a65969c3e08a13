import type { CutoverConfig } from '../../../core/cutover/cutover-config';
import type { Stack, Template } from '../../../rehearsal/template/assembly/template';
import { StackModel, readStackModel } from '../../../rehearsal/template/model/stack-model';
import { CustomResources } from '../../../rehearsal/stack/custom-resources';
import { redeploy } from '../../../rehearsal/redeploy/redeploy';
import { Redeployed } from '../../../rehearsal/redeploy/redeployed';
import { StackRecord } from '../../../rehearsal/stack/stack-record';
import type { LocalCloud } from '../../../rehearsal/cloud/local-cloud';

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
        Environment: { Variables: { DRAINSHIFT_WIRING: { 'Fn::Sub': JSON.stringify(config(groups)) } } },
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
  private model: StackModel;
  private readonly record: StackRecord;
  private readonly cloud: LocalCloud;

  constructor(template: Template | Resources) {
    this.model = readStackModel([findStack(template)]);
    const identities = this.model.customResources.map(
      ({ logicalId }) => [logicalId, { ref: `${logicalId}-1`, attributes: {} }] as const,
    );
    this.model = readStackModel([this.model.stack], undefined, { identities: new Map(identities) });
    this.record = new StackRecord(this.model.resources);
    this.record.settle('CREATE_COMPLETE');
    this.cloud = this.standIn();
  }

  get live() {
    return this.model.elb;
  }

  get description() {
    return this.record.description;
  }

  ref(logicalId: string): string {
    return this.model.resources.find(logicalId)?.identity.ref ?? '';
  }

  /** `Update Rule`, in their order. */
  get asked(): string[] {
    return this.events.map(({ RequestType, LogicalResourceId }) => `${RequestType} ${LogicalResourceId}`);
  }

  deploy(template: Template | Resources, over: Partial<Stack> = {}): Promise<Redeployed> {
    return redeploy(this.cloud, [findStack(template, over)]);
  }

  /** As much of a world as a redeploy touches. */
  private standIn(): LocalCloud {
    const model = () => this.model;
    const adopt = (next: StackModel) => {
      this.model = next;
      this.record.adopt(next.resources);
    };
    const cloud = {
      get model() {
        return model();
      },
      adopt,
      rights: this.model.rights,
      stack: this.record,
      functions: { put: () => undefined },
      states: { add: () => undefined },
      customResources: new CustomResources(this.record.id, (_, event) => this.call(event as AskedEvent)),
    };
    return cloud as unknown as LocalCloud;
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
