import { IResource, Resource } from 'aws-cdk-lib';
import { Metric, MetricOptions } from 'aws-cdk-lib/aws-cloudwatch';
import { Grant, IGrantable } from 'aws-cdk-lib/aws-iam';
import { Function, IFunction } from 'aws-cdk-lib/aws-lambda';
import { IBucket } from 'aws-cdk-lib/aws-s3';
import { IQueue, Queue } from 'aws-cdk-lib/aws-sqs';
import { IStateMachine, StateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import { Construct } from 'constructs';
import { METRIC_NAMESPACE, WEIGHT_METRIC } from '../../core/proxy/events';
import { letEncrypt } from '../shared/encryption';
import { checkNames } from '../validation/known-props';
import { MigrationSide } from '../traffic/migration-side';
import { whereItIs } from '../shared/metric-place';
import { checkArn, reject } from '../validation/validation';

/** A cutover, made here or elsewhere: who may act on it, and what it reports. */
export interface ICutover extends IResource {
  /** Runs the cutovers. Another state machine or a schedule starts it with `{}` as its input. */
  readonly stateMachine: IStateMachine;

  /** The dimension `Cutover` of the weights' metric. */
  readonly cutoverName: string;

  /** Holds the lock, abort requests, approvals and the evidence of every cutover. */
  readonly store: IBucket;

  /** Makes the proxies of a side serve again. */
  readonly undrainFunction: IFunction;

  /** Makes a dry run of a hold: counts what would wait, and holds nothing. */
  readonly holdDryRunFunction: IFunction;

  /** Makes a preflight without a cutover, which changes nothing. */
  readonly doctorFunction: IFunction;

  /** Puts back what a stopped execution left. */
  readonly recoverFunction: IFunction;

  /** Has a message for each cutover that could not be put back in six hours. */
  readonly givenUpQueue: IQueue;

  /** Grants the right to start a cutover. */
  grantStart(grantee: IGrantable): Grant;

  /** Grants the right to ask a running cutover to roll back. */
  grantAbort(grantee: IGrantable): Grant;

  /**
   * Grants the right to approve or reject where a plan asks for an approval, with `drainshift approve`, which signs with the
   * caller's identity.
   */
  grantApprove(grantee: IGrantable): Grant;

  /** Grants the right to make the proxies of a side serve again: `drainshift undrain`, and `drainshift weights set`. */
  grantUndrain(grantee: IGrantable): Grant;

  /** Grants the right to make a dry run of a hold: `drainshift hold --dry-run`. */
  grantHoldDryRun(grantee: IGrantable): Grant;

  /** Grants the right to ask whether a cutover would be rejected: `drainshift doctor`. */
  grantDoctor(grantee: IGrantable): Grant;

  /** A metric of the state machine, by its name in the namespace `AWS/States`. */
  metric(metricName: string, props?: MetricOptions): Metric;

  /** Cutovers that were started. */
  metricStarted(props?: MetricOptions): Metric;

  /** Cutovers that completed: all traffic on the target. */
  metricSucceeded(props?: MetricOptions): Metric;

  /** Cutovers that did not complete: not started, rejected, rolled back or failed. */
  metricFailed(props?: MetricOptions): Metric;

  /** Cutovers that a person stopped in the console. */
  metricAborted(props?: MetricOptions): Metric;

  /** Cutovers that were stopped because they took longer than 30 days. */
  metricTimedOut(props?: MetricOptions): Metric;

  /** How long cutovers took, in milliseconds. */
  metricTime(props?: MetricOptions): Metric;

  /** Calls of the recovery that failed. Each is tried again. */
  metricRecoveryErrors(props?: MetricOptions): Metric;

  /** Calls of the recovery that Lambda gave up before it made them. */
  metricRecoveryDropped(props?: MetricOptions): Metric;

  /** Cutovers that were stopped, and could not be put back in six hours: over 0 an operator has to act. */
  metricRecoveryGivenUp(props?: MetricOptions): Metric;

  /** The weight of a side in force, as the cutover sets it and at every poll of a bake; nothing between two cutovers. */
  metricWeight(side: MigrationSide, props?: MetricOptions): Metric;
}

/** A cutover that this app does not make. What is left out is asked for where it is needed. */
export interface CutoverAttributes {
  /** The ARN of its state machine. */
  readonly stateMachineArn: string;

  /**
   * Its store, with its key where it has one. `grantAbort` and `grantApprove` need it.
   * @default - unknown
   */
  readonly store?: IBucket;

  /**
   * The `cutoverName` of the cutover. `metricWeight` and a dashboard need it.
   * @default - unknown
   */
  readonly cutoverName?: string;

  /**
   * The ARN of its `undrainFunction`. `grantUndrain` needs it.
   * @default - unknown
   */
  readonly undrainFunctionArn?: string;

  /**
   * The ARN of its `holdDryRunFunction`. `grantHoldDryRun` needs it.
   * @default - unknown
   */
  readonly holdDryRunFunctionArn?: string;

  /**
   * The ARN of its `doctorFunction`. `grantDoctor` needs it.
   * @default - unknown
   */
  readonly doctorFunctionArn?: string;

  /**
   * The ARN of its `recoverFunction`. Alarms need it.
   * @default - unknown
   */
  readonly recoverFunctionArn?: string;

  /**
   * The ARN of its `givenUpQueue`. Alarms need it.
   * @default - unknown
   */
  readonly givenUpQueueArn?: string;
}

/**
 * What a cutover can be asked for, wherever it was made.
 *
 * @internal
 */
export abstract class CutoverBase extends Resource implements ICutover {
  public abstract readonly stateMachine: IStateMachine;
  public abstract readonly cutoverName: string;
  public abstract readonly store: IBucket;
  public abstract readonly undrainFunction: IFunction;
  public abstract readonly holdDryRunFunction: IFunction;
  public abstract readonly doctorFunction: IFunction;
  public abstract readonly recoverFunction: IFunction;
  public abstract readonly givenUpQueue: IQueue;

  /** Grants the right to start a cutover. */
  public grantStart(grantee: IGrantable): Grant {
    return this.stateMachine.grantStartExecution(grantee);
  }

  /** Grants the right to ask a running cutover to roll back. */
  public grantAbort(grantee: IGrantable): Grant {
    return this.grantWrite(grantee, 'abort/*');
  }

  /**
   * Grants the right to approve or reject where a plan asks for an approval, with `drainshift approve`, which signs with the
   * caller's identity.
   */
  public grantApprove(grantee: IGrantable): Grant {
    return this.grantWrite(grantee, 'approval/*');
  }

  /** Grants the right to make the proxies of a side serve again: `drainshift undrain`, and `drainshift weights set`. */
  public grantUndrain(grantee: IGrantable): Grant {
    return this.undrainFunction.grantInvoke(grantee);
  }

  /** Grants the right to make a dry run of a hold: `drainshift hold --dry-run`. */
  public grantHoldDryRun(grantee: IGrantable): Grant {
    return this.holdDryRunFunction.grantInvoke(grantee);
  }

  /** Grants the right to ask whether a cutover would be rejected: `drainshift doctor`. */
  public grantDoctor(grantee: IGrantable): Grant {
    return this.doctorFunction.grantInvoke(grantee);
  }

  /** A metric of the state machine, by its name in the namespace `AWS/States`. */
  public metric(metricName: string, props?: MetricOptions): Metric {
    return this.stateMachine.metric(metricName, whereItIs(this, props));
  }

  /** Cutovers that were started. */
  public metricStarted(props?: MetricOptions): Metric {
    return this.stateMachine.metricStarted(whereItIs(this, props));
  }

  /** Cutovers that completed: all traffic on the target. */
  public metricSucceeded(props?: MetricOptions): Metric {
    return this.stateMachine.metricSucceeded(whereItIs(this, props));
  }

  /** Cutovers that did not complete: not started, rejected, rolled back or failed. */
  public metricFailed(props?: MetricOptions): Metric {
    return this.stateMachine.metricFailed(whereItIs(this, props));
  }

  /** Cutovers that a person stopped in the console. */
  public metricAborted(props?: MetricOptions): Metric {
    return this.stateMachine.metricAborted(whereItIs(this, props));
  }

  /** Cutovers that were stopped because they took longer than 30 days. */
  public metricTimedOut(props?: MetricOptions): Metric {
    return this.stateMachine.metricTimedOut(whereItIs(this, props));
  }

  /** How long cutovers took, in milliseconds. */
  public metricTime(props?: MetricOptions): Metric {
    return this.stateMachine.metricTime(whereItIs(this, props));
  }

  /** Calls of the recovery that failed. Each is tried again. */
  public metricRecoveryErrors(props?: MetricOptions): Metric {
    return this.recoverFunction.metricErrors(whereItIs(this, props));
  }

  /** Calls of the recovery that Lambda gave up before it made them. */
  public metricRecoveryDropped(props?: MetricOptions): Metric {
    return this.recoverFunction.metric('AsyncEventsDropped', whereItIs(this, props));
  }

  /** Cutovers that were stopped, and could not be put back in six hours: over 0 an operator has to act. */
  public metricRecoveryGivenUp(props?: MetricOptions): Metric {
    const options = whereItIs(this, { statistic: 'Maximum', ...props });
    return this.givenUpQueue.metricApproximateNumberOfMessagesVisible(options);
  }

  /** The weight of a side in force, as the cutover sets it and at every poll of a bake; nothing between two cutovers. */
  public metricWeight(side: MigrationSide, props?: MetricOptions): Metric {
    return new Metric({
      namespace: METRIC_NAMESPACE,
      metricName: WEIGHT_METRIC,
      dimensionsMap: { Cutover: this.cutoverName, Side: side },
      statistic: 'Maximum',
      ...whereItIs(this, props),
    }).attachTo(this);
  }

  /** To a principal of another account by the policy of the bucket, too, where it is ours to change. */
  private grantWrite(grantee: IGrantable, keys: string): Grant {
    letEncrypt(grantee, this.store.encryptionKey);
    return Grant.addToPrincipalOrResource({
      grantee,
      actions: ['s3:PutObject'],
      resourceArns: [this.store.arnForObjects(keys)],
      resource: this.store,
    });
  }
}

/** One that another app makes. */
export class ImportedCutover extends CutoverBase {
  public readonly stateMachine: IStateMachine;
  private readonly functions = new Map<string, IFunction>();
  private queue?: IQueue;
  private readonly notified: CutoverAttributes;

  constructor(scope: Construct, id: string, props: CutoverAttributes) {
    super(scope, id, { environmentFromArn: checkAttributes(props).stateMachineArn });
    this.notified = props;
    this.stateMachine = StateMachine.fromStateMachineArn(this, 'StateMachine', props.stateMachineArn);
  }

  public get cutoverName(): string {
    return this.given('cutoverName');
  }

  public get store(): IBucket {
    return this.given('store');
  }

  public get undrainFunction(): IFunction {
    return this.findFunction('Undrain', this.given('undrainFunctionArn'));
  }

  public get holdDryRunFunction(): IFunction {
    return this.findFunction('HoldDryRun', this.given('holdDryRunFunctionArn'));
  }

  public get doctorFunction(): IFunction {
    return this.findFunction('Doctor', this.given('doctorFunctionArn'));
  }

  public get recoverFunction(): IFunction {
    return this.findFunction('Recover', this.given('recoverFunctionArn'));
  }

  public get givenUpQueue(): IQueue {
    return (this.queue ??= Queue.fromQueueArn(this, 'GivenUp', this.given('givenUpQueueArn')));
  }

  private given<K extends keyof CutoverAttributes>(name: K): NonNullable<CutoverAttributes[K]> {
    return this.notified[name] ?? reject(name, `given where '${this.node.path}' is imported`, 'nothing');
  }

  private findFunction(id: string, functionArn: string): IFunction {
    // Who may call it from another account is said where it was made as well: its policy is not ours to change.
    const attributes = { functionArn, skipPermissions: true };
    const known = this.functions.get(id) ?? Function.fromFunctionAttributes(this, id, attributes);
    this.functions.set(id, known);
    return known;
  }
}

function checkAttributes(attributes: CutoverAttributes): CutoverAttributes {
  checkNames('CutoverAttributes', attributes);
  checkArn('stateMachineArn', 'stateMachine', attributes.stateMachineArn);
  checkArn('undrainFunctionArn', 'function', attributes.undrainFunctionArn);
  checkArn('holdDryRunFunctionArn', 'function', attributes.holdDryRunFunctionArn);
  checkArn('doctorFunctionArn', 'function', attributes.doctorFunctionArn);
  checkArn('recoverFunctionArn', 'function', attributes.recoverFunctionArn);
  checkArn('givenUpQueueArn', 'queue', attributes.givenUpQueueArn);
  return attributes;
}
