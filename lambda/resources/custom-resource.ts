import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { setTimeout as pause } from 'node:timers/promises';

/**
 * What CloudFormation asks of the function behind a custom resource.
 *
 * @see https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-requests.html
 */
export interface CustomResourceEvent {
  readonly RequestType: 'Create' | 'Update' | 'Delete';
  /** A caller that knows it can respond in our name: it is never logged. */
  readonly ResponseURL: string;
  readonly StackId: string;
  readonly RequestId: string;
  readonly LogicalResourceId: string;
  /** `Custom::…`. */
  readonly ResourceType?: string;
  /** Absent at creation. */
  readonly PhysicalResourceId?: string;
  readonly ResourceProperties: unknown;
  readonly OldResourceProperties?: unknown;
}

/** What Lambda hands over beside the event, as far as it is used. */
export interface FunctionContext {
  getRemainingTimeInMillis(): number;
}

export interface ResourceResult {
  readonly physicalId: string;
  /** For a person: what was done, and why. */
  readonly reason: string;
}

/** Does what was asked for. Calls that it begins end with the signal. */
export type ResourceAct = (event: CustomResourceEvent, signal: AbortSignal) => Promise<ResourceResult>;

interface Response {
  readonly Status: 'SUCCESS' | 'FAILED';
  readonly Reason: string;
  readonly PhysicalResourceId: string;
}

/**
 * What is left of the function's time when it gives up: enough to put things in order, and to respond after several tries.
 */
const RESPONSE_MS = 25_000;
const SETTLE_MS = 5_000;
const ATTEMPTS = 5;
const ATTEMPT_MS = 3_000;
/** Bytes. A response may have 4,096 in all: ids take some, and JSON writes some characters as two. */
const MAX_REASON = 1_200;

/**
 * A handler that always responds, because CloudFormation waits for up to an hour for a response that does not come: also
 * when the act throws, and when it is not done in time. Only if the response itself cannot be delivered does it throw, so
 * that
 * it shows in the function's metrics.
 */
export function customResourceHandler(act: ResourceAct) {
  return async (event: CustomResourceEvent, context: FunctionContext): Promise<void> => {
    const response = await actInTime(act, event, context.getRemainingTimeInMillis() - RESPONSE_MS);
    const { RequestType: request, LogicalResourceId: name } = event;
    log({ level: response.Status === 'SUCCESS' ? 'info' : 'error', request, name, ...response });
    await deliver(event, response);
  };
}

async function actInTime(act: ResourceAct, event: CustomResourceEvent, ms: number): Promise<Response> {
  const stop = new AbortController();
  const late = new Error(`'${event.LogicalResourceId}' must be done within ${Math.round(ms / 1000)} s, got no end`);
  const timer = setTimeout(() => stop.abort(late), ms);
  const stopped = new Promise<void>((resolve) =>
    stop.signal.addEventListener('abort', () => resolve(), { once: true }),
  );
  const work = attempt(act, event, stop.signal);
  try {
    await Promise.race([work, stopped]);
    if (!stop.signal.aborted) return await work;
    // What it holds it may still give back; what it says now is too late.
    await Promise.race([work, pause(SETTLE_MS)]);
    return failure(event, late);
  } finally {
    clearTimeout(timer);
  }
}

async function attempt(act: ResourceAct, event: CustomResourceEvent, signal: AbortSignal): Promise<Response> {
  try {
    const { physicalId, reason } = await act(event, signal);
    return { Status: 'SUCCESS', Reason: reason, PhysicalResourceId: physicalId };
  } catch (error) {
    return failure(event, error);
  }
}

function failure(event: CustomResourceEvent, error: unknown): Response {
  // The same id as before: another one would tell CloudFormation to delete what that id names.
  const physicalId = event.PhysicalResourceId ?? `${event.LogicalResourceId}-not-created`;
  return { Status: 'FAILED', Reason: formatMessage(error), PhysicalResourceId: physicalId };
}

function formatMessage(error: unknown): string {
  return error instanceof Error && error.message !== '' ? error.message : String(error);
}

async function deliver(event: CustomResourceEvent, response: Response): Promise<void> {
  const { StackId, RequestId, LogicalResourceId } = event;
  const Reason = Buffer.from(response.Reason).subarray(0, MAX_REASON).toString();
  const body = JSON.stringify({ ...response, Reason, StackId, RequestId, LogicalResourceId });
  for (let attempt = 1; ; attempt += 1) {
    try {
      const status = await put(event.ResponseURL, body);
      if (status < 300) return;
      throw new Error(`status ${status}`);
    } catch (error) {
      const problem = `the response to CloudFormation must be accepted, got ${findCode(error)}`;
      log({ level: 'warn', name: LogicalResourceId, attempt, message: problem });
      // Without the cause: its message may have the URL in it.
      if (attempt === ATTEMPTS) throw new Error(problem);
      await pause(100 * 2 ** attempt);
    }
  }
}

function findCode(error: unknown): string {
  const { code, message } = error as { code?: string; message?: string };
  return code ?? (message?.startsWith('status ') ? message : 'no response');
}

/** @returns the status of the response */
function put(url: string, body: string): Promise<number> {
  const send = url.startsWith('http:') ? httpRequest : httpsRequest;
  return new Promise((resolve, reject) => {
    const outgoing = send(url, {
      method: 'PUT',
      agent: false,
      signal: AbortSignal.timeout(ATTEMPT_MS),
      // The signature in the URL covers an empty type.
      headers: { 'content-type': '', 'content-length': Buffer.byteLength(body) },
    });
    outgoing.on('response', (response) => {
      response.resume();
      response.on('error', reject);
      response.on('end', () => resolve(response.statusCode ?? 0));
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

function log(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
