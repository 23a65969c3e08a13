/** How often a cutover that was stopped from outside is put back, and how far apart: for six hours, before it is given up. */
export const RECOVERY_ATTEMPTS = 120;
export const RECOVERY_PAUSE_SECONDS = 180;

/** The error of an execution that ended in `Lock`: it has moved nothing. */
export const NOT_STARTED = 'NotStarted';

/** EventBridge's "Step Functions Execution Status Change", as far as it is used. */
export interface StatusChange {
  readonly detail: {
    readonly name: string;
    readonly status: string;
    /** Of the Fail state that it ended in. AWS's schema of the event does not promise it. */
    readonly error?: string | null;
  };
}

/**
 * A change that was not put back at once, as SQS hands it over, one at a time. The body is Lambda's record of a failed
 * call, or the change itself where EventBridge could not call at all.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
 * @see https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
 */
export interface QueuedChange {
  readonly Records: readonly {
    readonly body: string;
    readonly attributes: { readonly ApproximateReceiveCount: string };
  }[];
}

export interface RecoveryCall {
  readonly change: StatusChange;
  /** Nothing comes after this one. */
  readonly isLast: boolean;
}

export function buildRecoveryCall(event: StatusChange | QueuedChange): RecoveryCall {
  if (!('Records' in event)) return { change: event, isLast: false };
  const [record, ...more] = event.Records;
  if (!record || more.length > 0) throw new Error(`'Records' must be one message, got ${event.Records.length}`);
  const body = JSON.parse(record.body) as StatusChange & { requestPayload?: StatusChange };
  return {
    change: body.requestPayload ?? body,
    isLast: Number(record.attributes.ApproximateReceiveCount) >= RECOVERY_ATTEMPTS,
  };
}
