import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { oneLine } from '../../core/text/one-line';
import { CLIENT_CONFIG } from './client/client-config';
import { limited } from './client/limited';

/** Longer than a function of ours takes, with a cold start before it. */
const INVOKE_MS = 60_000;

/**
 * Calls a function of a deployed cutover: it stands in the network of the proxies, which a person's computer may not.
 *
 * @param task for a message: `prove the source`
 * @returns what it returned
 * @throws Error with the function's own error
 */
export async function callFunction(functionName: string, event: object, task: string): Promise<unknown> {
  const requestHandler = { ...CLIENT_CONFIG.requestHandler, requestTimeout: INVOKE_MS };
  const client = limited('Lambda', new LambdaClient({ ...CLIENT_CONFIG, requestHandler }), INVOKE_MS);
  const command = new InvokeCommand({ FunctionName: functionName, Payload: JSON.stringify(event) });
  const { FunctionError: failure, Payload } = await client.send(command);
  const text = Buffer.from(Payload ?? []).toString();
  if (failure !== undefined) throw new Error(`'${functionName}' must ${task}, got ${oneLine(text)}`);
  return JSON.parse(text) as unknown;
}
