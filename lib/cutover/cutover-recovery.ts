import { Duration } from 'aws-cdk-lib';
import { Rule } from 'aws-cdk-lib/aws-events';
import { LambdaFunction } from 'aws-cdk-lib/aws-events-targets';
import { Function } from 'aws-cdk-lib/aws-lambda';
import { IKey } from 'aws-cdk-lib/aws-kms';
import { SqsDestination } from 'aws-cdk-lib/aws-lambda-destinations';
import { SqsEventSource } from 'aws-cdk-lib/aws-lambda-event-sources';
import { Queue } from 'aws-cdk-lib/aws-sqs';
import { IStateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import { Construct } from 'constructs';
import { RECOVERY_ATTEMPTS, RECOVERY_PAUSE_SECONDS } from '../../core/cutover/recovery';
import { createQueue, letEventsUse } from '../shared/encryption';

export interface CutoverRecoveryProps {
  readonly stateMachine: IStateMachine;
  /** Puts the traffic back. */
  readonly recover: Function;
  readonly encryptionKey?: IKey;
}

/**
 * Calls the recovery of a cutover when its execution ended past every Catch, and again for hours until it succeeds:
 * Step Functions runs no Catch when a person stops an execution, when its time limit is reached, or when its history is full.
 *
 * ```
 * EventBridge ── fails ──┐
 *     └─▶ recover ─ fails ┴─▶ Retries ─▶ recover … 120 times, then ─▶ GivenUp
 * ```
 */
export class CutoverRecovery extends Construct {
  /** The cutovers that could not be put back, for two weeks. */
  public readonly givenUp: Queue;

  constructor(scope: Construct, id: string, props: CutoverRecoveryProps) {
    super(scope, id);
    const { stateMachine, recover, encryptionKey } = props;
    this.givenUp = createQueue(this, 'GivenUp', { encryptionKey, retentionPeriod: Duration.days(14) });
    const retries = createQueue(this, 'Retries', {
      encryptionKey,
      // A message that was not dealt with shows again after this time.
      visibilityTimeout: Duration.seconds(RECOVERY_PAUSE_SECONDS),
      deadLetterQueue: { queue: this.givenUp, maxReceiveCount: RECOVERY_ATTEMPTS },
    });
    // Lambda itself repeats a call twice at the most.
    recover.configureAsyncInvoke({ retryAttempts: 0, onFailure: new SqsDestination(retries) });
    recover.addEventSource(new SqsEventSource(retries, { batchSize: 1 }));
    letEventsUse(encryptionKey, this);
    new Rule(this, 'Interrupted', {
      description: 'Puts the traffic back when a cutover was stopped from outside',
      eventPattern: {
        source: ['aws.states'],
        detailType: ['Step Functions Execution Status Change'],
        detail: { stateMachineArn: [stateMachine.stateMachineArn], status: ['ABORTED', 'TIMED_OUT', 'FAILED'] },
      },
      targets: [
        new LambdaFunction(recover, { retryAttempts: 5, maxEventAge: Duration.minutes(5), deadLetterQueue: retries }),
      ],
    });
  }
}
