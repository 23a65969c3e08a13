import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Retries } from './retries';

/** One asynchronous call of a function, over all its repetitions. */
export interface AsynchronousCall {
  readonly functionArn: string;
  /** What it is about, for its caller. */
  readonly subject: string;
  readonly startedAt: Date;
  state: 'underWay' | 'done' | 'givenUp';
  /** How often the function was called. */
  calls: number;
  /** What the function returned, once it has. */
  result?: unknown;
  /** Of the last call that failed. */
  error?: string;
  endedAt?: Date;
}

interface Options {
  readonly invoke: (functionArn: string, payload: unknown) => Promise<unknown>;
  /** Pauses between repetitions are divided by it. */
  readonly speed: number;
  /** Called when a call begins, fails, and ends. */
  readonly changed: (call: AsynchronousCall) => void;
}

/** However fast: a repetition without any pause would only heat the machine. */
const MIN_PAUSE_MS = 50;

/**
 * Calls functions as Lambda does when no caller waits for the response: what fails is repeated by Lambda, then handed over by
 * the queue of its failures, until it succeeds or is given up.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/invocation-async.html
 * @see https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
 */
export class AsynchronousCalls {
  readonly all: AsynchronousCall[] = [];
  private readonly stopped = new AbortController();

  constructor(private readonly options: Options) {}

  /** Never rejects: what became of it is in the call that it returns. */
  begin(functionArn: string, subject: string, event: unknown, retries: Retries): AsynchronousCall {
    const call: AsynchronousCall = { functionArn, subject, startedAt: new Date(), state: 'underWay', calls: 0 };
    this.all.push(call);
    this.options.changed(call);
    void this.repeat(call, event, retries).catch(() => undefined);
    return call;
  }

  /** Begins no more calls; what is under way ends with its function. */
  stop(): void {
    this.stopped.abort();
  }

  private async repeat(call: AsynchronousCall, event: unknown, { lambdaPausesMs, queue }: Retries): Promise<void> {
    let failure = await this.attempt(call, event);
    for (const pauseMs of lambdaPausesMs) {
      if (failure === undefined) return;
      await this.pause(pauseMs);
      failure = await this.attempt(call, event);
    }
    for (let received = 1; failure !== undefined && queue && received <= queue.maxReceives; received += 1) {
      const message = formatMessage(event, failure, { call, queueArn: queue.arn, received });
      const startedMs = Date.now();
      failure = await this.attempt(call, message);
      // The message is hidden from when it was handed over.
      if (failure !== undefined) await this.pause(queue.visibilityMs, Date.now() - startedMs);
    }
    if (failure !== undefined) this.end(call, 'givenUp');
  }

  /** @returns what went wrong */
  private async attempt(call: AsynchronousCall, payload: unknown): Promise<Error | undefined> {
    this.stopped.signal.throwIfAborted();
    call.calls += 1;
    try {
      call.result = await this.options.invoke(call.functionArn, payload);
      this.end(call, 'done');
      return undefined;
    } catch (error) {
      call.error = (error as Error).message;
      if (!this.stopped.signal.aborted) this.options.changed(call);
      return error as Error;
    }
  }

  private end(call: AsynchronousCall, state: 'done' | 'givenUp'): void {
    call.state = state;
    call.endedAt = new Date();
    if (!this.stopped.signal.aborted) this.options.changed(call);
  }

  private async pause(ms: number, passedMs = 0): Promise<void> {
    const leftMs = Math.max(MIN_PAUSE_MS, ms / this.options.speed - passedMs);
    await pause(leftMs, undefined, { signal: this.stopped.signal });
  }
}

/** A batch of one, with Lambda's record of the failed call as its body. */
function formatMessage(
  event: unknown,
  failure: Error,
  { call, queueArn, received }: { call: AsynchronousCall; queueArn: string; received: number },
): object {
  const body = {
    version: '1.0',
    timestamp: new Date().toISOString(),
    requestContext: { requestId: randomUUID(), functionArn: call.functionArn, condition: 'RetriesExhausted' },
    requestPayload: event,
    responseContext: { statusCode: 200, functionError: 'Unhandled' },
    responsePayload: { errorType: failure.name, errorMessage: failure.message },
  };
  return {
    Records: [
      {
        messageId: randomUUID(),
        body: JSON.stringify(body),
        attributes: {
          ApproximateReceiveCount: String(received),
          SentTimestamp: String(call.startedAt.getTime()),
        },
        eventSource: 'aws:sqs',
        eventSourceARN: queueArn,
        awsRegion: queueArn.split(':')[3] ?? '',
      },
    ],
  };
}
