import { Duration, Fn, Stack } from 'aws-cdk-lib';
import { IApplicationListener } from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { Architecture, Code, Function, Runtime } from 'aws-cdk-lib/aws-lambda';
import { CfnLogGroup, LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { IBucket } from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import { STACK_TAG } from '../../core/traffic/weighted-rule';
import { acknowledge } from '../validation/nag-suppressions';
import { lambdaAsset } from '../shared/assets';
import { encryptSharedLog, letDecrypt, letEncrypt } from '../shared/encryption';
import { trustOwnAccountOnly } from '../shared/trusted-services';

const FUNCTION_TIMEOUT = Duration.minutes(2);
/** The least memory that Lambda accepts. */
const MAX_EVENT_AGE = Duration.minutes(1);
/**
 * How long CloudFormation waits: longer than an event may be queued and the function may then run, so that nothing is
 * done any more once CloudFormation has given up and gone on.
 */
export const SERVICE_TIMEOUT = Duration.minutes(4);

/** The function behind all weighted rules of a stack. Not in a network: it calls AWS APIs alone, and needs no way through a NAT. */
export class WeightedRuleProvider extends Construct {
  /** One for each stack, so that rules do not multiply functions. */
  static of(scope: Construct): WeightedRuleProvider {
    const stack = Stack.of(scope);
    const found = stack.node.tryFindChild(PROVIDER_ID);
    return found instanceof WeightedRuleProvider ? found : new WeightedRuleProvider(stack, PROVIDER_ID);
  }

  private readonly function: Function;
  private readonly logGroup: LogGroup;
  private retentionDays = 0;
  /** The stores that it may look into. */
  private readonly seen = new Set<IBucket>();

  constructor(scope: Construct, id: string) {
    super(scope, id);
    this.logGroup = new LogGroup(this, 'Log', { retention: RetentionDays.THREE_MONTHS });
    this.function = new Function(this, 'Function', {
      description: 'Owns the weighted rules of this stack, and leaves their weights alone',
      code: Code.fromAsset(lambdaAsset()),
      handler: 'index.weightedRule',
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      memorySize: 256,
      timeout: FUNCTION_TIMEOUT,
      maxEventAge: MAX_EVENT_AGE,
      retryAttempts: 0,
      logGroup: this.logGroup,
    });
    // None of these knows resources.
    this.add(
      ['Rules', 'Tags', 'TargetHealth'].map((what) => `elasticloadbalancing:Describe${what}`),
      ['*'],
    );
    this.allowCleanUp();
    acknowledge(this, 'weightedRules');
    trustOwnAccountOnly(this);
  }

  /** Keeps its log for as long as the longest that a cutover of this stack asks for. */
  keepLog(retention: RetentionDays): void {
    this.retentionDays = Math.max(this.retentionDays, retention);
    const resource = this.logGroup.node.defaultChild as CfnLogGroup;
    // The CDK's number for ever is none of CloudFormation's.
    resource.retentionInDays = this.retentionDays >= Number(RetentionDays.INFINITE) ? undefined : this.retentionDays;
  }

  get serviceToken(): string {
    return this.function.functionArn;
  }

  /** Lets it own rules of this listener, and hold the lock of this store while it changes one. */
  allow(listener: IApplicationListener, store: IBucket): void {
    const { listenerArn } = listener;
    const [prefix, path] = [0, 1].map((index) => Fn.select(index, Fn.split(':listener/', listenerArn, 2)));
    this.add(['elasticloadbalancing:CreateRule'], [listenerArn]);
    this.add(
      ['AddTags', 'DeleteRule', 'ModifyRule', 'SetRulePriorities'].map((action) => `elasticloadbalancing:${action}`),
      [`${prefix}:listener-rule/${path}/*`],
    );
    this.allowLook(store);
    this.add(['s3:DeleteObject', 's3:PutObject'], [store.arnForObjects('lock.json')]);
    letEncrypt(this.function, store.encryptionKey);
  }

  /** Lets it look who holds the lock of this store. */
  allowLook(store: IBucket): void {
    if (this.seen.has(store)) return;
    this.seen.add(store);
    letDecrypt(this.function, store.encryptionKey);
    encryptSharedLog(this.logGroup, store.encryptionKey);
    this.add(['s3:GetObject'], [store.arnForObjects('lock.json')]);
    // Without it a missing lock reads as forbidden instead of missing.
    this.add(['s3:ListBucket'], [store.bucketArn]);
  }

  /** A rule of a listener that the stack has replaced is deleted after the rights on it are gone; its tag is still there. */
  private allowCleanUp(): void {
    const stack = Stack.of(this);
    const rules = stack.formatArn({
      service: 'elasticloadbalancing',
      resource: 'listener-rule',
      resourceName: 'app/*',
    });
    this.add(['elasticloadbalancing:DeleteRule'], [rules], {
      StringEquals: { [`aws:ResourceTag/${STACK_TAG}`]: stack.stackId },
    });
  }

  private add(actions: string[], resources: string[], conditions?: Record<string, unknown>): void {
    this.function.addToRolePolicy(new PolicyStatement({ actions, resources, conditions }));
  }
}

const PROVIDER_ID = 'DrainshiftWeightedRules';
