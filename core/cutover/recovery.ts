import { ERRORS, ErrorCode } from '../errors/errors';
import type { Failure } from './run';

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
    /** Of the Fail state that it ended in. AWS's schema of the event does not promise it, nor the cause. */
    readonly error?: string | null;
    readonly cause?: string | null;
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

/**
 * Why an execution ended in `Lock` that tried it again and again, which no step has told of. Undefined where `Lock` has told of it: there
 * trying again would not have helped.
 */
export function findUntoldStart({ error, cause }: StatusChange['detail']): Failure | undefined {
  if (error !== NOT_STARTED) return undefined;
  const { errorType, errorMessage } = parseCause(cause ?? undefined);
  if (errorType !== undefined && Object.hasOwn(ERRORS, errorType) && !ERRORS[errorType as ErrorCode].retry)
    return undefined;
  return { code: 'AwsUnavailable', message: errorMessage ?? `'Lock' must end, got ${cause ?? 'no cause'}` };
}

/** As Lambda reports an error to Step Functions. */
interface LambdaCause {
  readonly errorType?: string;
  readonly errorMessage?: string;
}

function parseCause(cause: string | undefined): LambdaCause {
  try {
    const read = JSON.parse(cause ?? '') as unknown;
    return typeof read === 'object' && read !== null ? read : {};
  } catch {
    return {};
  }
}
