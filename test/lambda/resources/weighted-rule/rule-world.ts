import { Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { AwsError } from '../../../../rehearsal/errors/aws-error';
import type { CustomResourceEvent } from '../../../../lambda/resources/custom-resource';
import { handler } from '../../../../lambda/resources/weighted-rule/handler';
import { ARNS, REGION, LocalCloud, forward, startLocalCloud } from '../../../rehearsal/aws/world';

export interface Response {
  readonly Status: string;
  readonly Reason: string;
  readonly PhysicalResourceId: string;
}

export const PROPERTIES = {
  ListenerArn: ARNS.listener,
  Priority: '10',
  PathPatterns: ['/*'],
  SourceGroupArn: ARNS.source,
  TargetGroupArn: ARNS.target,
  InitialWeights: { Source: '100', Target: '0' },
  StickinessSeconds: '3600',
  StoreBucket: 'store',
};

let requests = 0;

/**
 * The handler of the rules, between a CloudFormation that keeps its responses and an endpoint whose listener has no rule yet.
 */
export class RuleSetup {
  readonly responses: Response[] = [];
  /** What an action responds with once instead of doing its work. */
  readonly faults = new Map<string, AwsError>();
  aws!: LocalCloud;
  private readonly cloudFormation: Server = createServer((request, response) => {
    let text = '';
    request.on('data', (chunk) => (text += String(chunk)));
    request.on('end', () => {
      this.responses.push(JSON.parse(text) as Response);
      response.end();
    });
  });

  async start(): Promise<this> {
    const authorize = ({ action }: { action: string }) => {
      const fault = this.faults.get(action);
      this.faults.delete(action);
      if (fault) throw fault;
    };
    this.aws = await startLocalCloud({ authorize });
    this.aws.elbModel.rules.delete(ARNS.rule);
    await new Promise<void>((resolve) => this.cloudFormation.listen(0, '127.0.0.1', resolve));
    Object.assign(process.env, {
      AWS_ENDPOINT_URL: this.aws.url,
      AWS_REGION: REGION,
      AWS_ACCESS_KEY_ID: 'LAMBDA',
      AWS_SECRET_ACCESS_KEY: 'none',
    });
    jest.spyOn(process.stdout, 'write').mockReturnValue(true);
    return this;
  }

  async stop(): Promise<void> {
    jest.restoreAllMocks();
    this.cloudFormation.closeAllConnections();
    await new Promise((resolve) => this.cloudFormation.close(resolve));
    await this.aws.stop();
  }

  async ask(over: Partial<CustomResourceEvent>): Promise<Response> {
    const event: CustomResourceEvent = {
      RequestType: 'Create',
      ResponseURL: `http://127.0.0.1:${(this.cloudFormation.address() as AddressInfo).port}/`,
      StackId: 'arn:aws:cloudformation:eu-central-1:123456789012:stack/shop/1',
      RequestId: `request-${(requests += 1)}`,
      LogicalResourceId: 'Rule',
      ResourceProperties: PROPERTIES,
      ...over,
    };
    await handler(event, { getRemainingTimeInMillis: () => 120_000 });
    return this.responses.at(-1) as Response;
  }

  create(over: object = {}, more: Partial<CustomResourceEvent> = {}): Promise<Response> {
    return this.ask({ ResourceProperties: { ...PROPERTIES, ...over }, ...more });
  }

  update(id: string, over: object, from: object = {}): Promise<Response> {
    return this.ask({
      RequestType: 'Update',
      PhysicalResourceId: id,
      ResourceProperties: { ...PROPERTIES, ...over },
      OldResourceProperties: { ...PROPERTIES, ...from },
    });
  }

  remove(id: string, over: object = {}): Promise<Response> {
    return this.ask({
      RequestType: 'Delete',
      PhysicalResourceId: id,
      ResourceProperties: { ...PROPERTIES, ...over },
    });
  }

  removeGuard(): Promise<Response> {
    return this.ask({
      RequestType: 'Delete',
      ResourceType: 'Custom::DrainshiftGuard',
      LogicalResourceId: 'Guard',
      PhysicalResourceId: 'Guard',
      ResourceProperties: { ...PROPERTIES, RuleName: 'Rule' },
    });
  }

  /** What the listener's rules do, but its default one. */
  rules() {
    return [...this.aws.elbModel.rules.values()]
      .filter(({ priority, listenerArn }) => priority !== 'default' && listenerArn === ARNS.listener)
      .map(({ arn, priority, conditions, actions }) => ({ arn, priority, conditions, action: actions[0] }));
  }

  /** Of the first rule. */
  groups(): readonly { readonly arn: string; readonly weight: number }[] {
    const action = this.rules()[0]?.action;
    return action?.type === 'forward' ? action.forward.targetGroups : [];
  }

  shift(...groups: readonly (readonly [string, number])[]): void {
    for (const { arn } of this.rules()) this.aws.elbModel.rule(arn).actions = [forward(...groups)];
  }
}

export function startRuleSetup(): Promise<RuleSetup> {
  return new RuleSetup().start();
}
