import { CutoverError } from '../../../core/errors/errors';
import { oneLine } from '../../../core/text/one-line';
import { timeLeftMs, waitingFor, withinStep } from '../../contract/time-left';

/** How long one call to a service may take, with all its retries: a step has 30 s in all, and makes several of them. */
export const CALL_MS = 8_000;
/** The same in a deployment, which waits for minutes and must not fail over a burst of throttling. */
export const DEPLOYMENT_MS = 60_000;

interface Sender {
  send(command: Command, options?: { readonly abortSignal?: AbortSignal }): Promise<unknown>;
}

type Next = (args: unknown) => Promise<unknown>;

/** Of the SDK: what is added to it is for this one call. */
interface Command {
  readonly middlewareStack: {
    addRelativeTo(
      middleware: (next: Next) => Next,
      options: {
        readonly relation: 'after';
        readonly toMiddleware: string;
        readonly name: string;
        readonly override: boolean;
      },
    ): void;
  };
}

/** A body that is still to come when a call has its response, as that of S3's GetObject. */
interface StreamedBody {
  transformToString(encoding?: string): Promise<string>;
}

/**
 * The same client of the AWS SDK, whose calls end in time and whose errors name the service: a call that does not end
 * would end the step by Lambda's own timeout, which names nothing. The time is that of a call with all its retries and the
 * body of its response, and never more than what is left of the step; after that no call begins.
 *
 * A failure of the service, of the network or of time becomes a CutoverError `AwsUnavailable`; what the service rejects
 * stays the SDK's own error, with the service and the call before its message.
 */
export function limited<Client extends object>(service: string, client: Client, milliseconds = CALL_MS): Client {
  const sender = client as unknown as Sender;
  const send = sender.send.bind(sender);
  sender.send = async (command, options) => {
    const call = new Call(`${service} must respond to ${findOperation(command)}`, milliseconds);
    // Overrides that of an earlier call with the same command.
    const place = { relation: 'after', toMiddleware: 'retryMiddleware', name: 'attempts', override: true } as const;
    command.middlewareStack.addRelativeTo((next) => (args) => call.attempt(() => next(args)), place);
    const signals = [call.signal, ...(options?.abortSignal ? [options.abortSignal] : [])];
    const output = await call.explained(() => send(command, { ...options, abortSignal: AbortSignal.any(signals) }));
    const body = findBody(output);
    if (body) {
      const read = body.transformToString.bind(body);
      body.transformToString = (encoding) => call.explained(() => read(encoding));
    }
    return output;
  };
  return client;
}

/** As the SDK throws it. */
interface ServiceFailure extends Error {
  readonly $fault?: string;
  readonly $metadata?: { readonly httpStatusCode?: number; clockSkewCorrected?: boolean };
}

/** What a service says to a request whose time is wrong. */
const WRONG_TIME =
  /^(RequestTimeTooSkewed|RequestExpired|RequestInTheFuture|AuthFailure|SignatureDoesNotMatch|InvalidSignatureException)$/;

class Call {
  readonly signal: AbortSignal;
  private readonly limitMs: number;
  /** What the service said to the last attempt, when it said anything. */
  private said: string | undefined;

  constructor(
    private readonly rule: string,
    milliseconds: number,
  ) {
    this.limitMs = Math.ceil(withinStep(milliseconds));
    if (timeLeftMs() <= 0) throw new CutoverError('AwsUnavailable', `${rule} in the time of its step, got none left`);
    this.signal = AbortSignal.timeout(this.limitMs);
  }

  async explained<T>(work: () => Promise<T>): Promise<T> {
    let stop = () => {};
    // The SDK's pause before a retry does not end with the signal.
    const late = new Promise<never>((_, reject) => {
      stop = () => reject(this.signal.reason as Error);
      this.signal.addEventListener('abort', stop, { once: true });
    });
    try {
      return await Promise.race([waitingFor(this.rule, work), late]);
    } catch (error) {
      throw this.explain(error);
    } finally {
      this.signal.removeEventListener('abort', stop);
    }
  }

  /** One of those that the SDK makes. */
  async attempt<T>(send: () => Promise<T>): Promise<T> {
    try {
      return await send();
    } catch (error) {
      const { $metadata, name, message } = error as ServiceFailure;
      const status = $metadata?.httpStatusCode;
      this.said = status === undefined ? undefined : oneLine(`${status} ${name}: ${message}`);
      // The SDK corrects its clock by each response, and would send a request again that failed for another reason.
      if ($metadata?.clockSkewCorrected === true && !WRONG_TIME.test(name)) $metadata.clockSkewCorrected = false;
      throw error;
    }
  }

  private explain(error: unknown): unknown {
    const { rule, signal, limitMs } = this;
    if (error instanceof CutoverError) return error;
    if (signal.aborted) {
      const got = this.said === undefined ? 'no response' : `${this.said}, at the last of several attempts`;
      return new CutoverError('AwsUnavailable', `${rule} within ${limitMs / 1000} s, got ${got}`, { cause: error });
    }
    const failure = error as ServiceFailure;
    const { $fault, $metadata, name, message } = failure;
    const status = $metadata?.httpStatusCode;
    const isRejected = $fault === 'client' && status !== undefined && status !== 429;
    if (isRejected && name !== 'ThrottlingException' && name !== 'Throttling') {
      failure.message = oneLine(`${rule}, got ${status} ${name}: ${message}`);
      return failure;
    }
    const got = [status, name === 'Error' ? undefined : name, message].filter(Boolean).join(' ');
    return new CutoverError('AwsUnavailable', `${rule}, got ${oneLine(got)}`, { cause: error });
  }
}

function findBody(output: unknown): StreamedBody | undefined {
  const { Body: body } = (output ?? {}) as { readonly Body?: Partial<StreamedBody> };
  return typeof body?.transformToString === 'function' ? (body as StreamedBody) : undefined;
}

function findOperation(command: object): string {
  return command.constructor.name.replace(/Command$/, '');
}
