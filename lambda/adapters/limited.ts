import { CutoverError } from '../../core/errors';
import { oneLine } from '../../core/one-line';

/** How long one call to a service may take, with all its retries: a step has 30 s in all, and makes several of them. */
export const CALL_MS = 8_000;

interface Sender {
  send(command: object, options?: { readonly abortSignal?: AbortSignal }): Promise<unknown>;
}

/**
 * The same client of the AWS SDK, whose calls end in time and whose errors name the service: a call that does not end
 * would end the step by Lambda's own timeout, which names nothing.
 *
 * A failure of the service, of the network or of time becomes a CutoverError `AwsUnavailable`; what the service refuses
 * stays the SDK's own error, with the service and the call before its message.
 */
export function limited<Client extends object>(service: string, client: Client, milliseconds = CALL_MS): Client {
  const sender = client as unknown as Sender;
  const send = sender.send.bind(sender);
  sender.send = async (command, options) => {
    const limit = AbortSignal.timeout(milliseconds);
    const signals = [limit, ...(options?.abortSignal ? [options.abortSignal] : [])];
    try {
      return await send(command, { ...options, abortSignal: AbortSignal.any(signals) });
    } catch (error) {
      throw explain(error, `${service} must respond to ${operationOf(command)}`, limit, milliseconds);
    }
  };
  return client;
}

function explain(error: unknown, rule: string, limit: AbortSignal, milliseconds: number): unknown {
  if (error instanceof CutoverError || !(error instanceof Error)) return error;
  if (limit.aborted) {
    return new CutoverError('AwsUnavailable', `${rule} within ${milliseconds / 1000} s, got no response`);
  }
  const { $fault, $metadata } = error as { $fault?: string; $metadata?: { httpStatusCode?: number } };
  const status = $metadata?.httpStatusCode;
  const isRefused = $fault === 'client' && status !== undefined && status !== 429;
  if (isRefused && error.name !== 'ThrottlingException' && error.name !== 'Throttling') {
    error.message = oneLine(`${rule}, got ${status} ${error.name}: ${error.message}`);
    return error;
  }
  const got = [status, error.name === 'Error' ? undefined : error.name, error.message].filter(Boolean).join(' ');
  return new CutoverError('AwsUnavailable', `${rule}, got ${oneLine(got)}`);
}

function operationOf(command: object): string {
  return command.constructor.name.replace(/Command$/, '');
}
