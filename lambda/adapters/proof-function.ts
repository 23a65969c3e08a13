import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import type { Unproven } from '../../core/proof';
import type { Side } from '../../core/weights';
import { CLIENT_CONFIG } from './client-config';

/** Longer than its smoke requests take, which it makes at the same time. */
const INVOKE_MS = 60_000;

/**
 * Asks the proof of a deployed cutover: it stands in the network of the proxies, which a person's computer may not.
 *
 * @throws Error with the function's own error
 */
export async function askProof(functionName: string, side: Side): Promise<readonly Unproven[]> {
  const requestHandler = { ...CLIENT_CONFIG.requestHandler, requestTimeout: INVOKE_MS };
  const client = new LambdaClient({ ...CLIENT_CONFIG, requestHandler });
  const command = new InvokeCommand({ FunctionName: functionName, Payload: JSON.stringify({ side }) });
  const { FunctionError: failure, Payload } = await client.send(command);
  const text = Buffer.from(Payload ?? []).toString();
  if (failure !== undefined) throw new Error(`'${functionName}' must prove the ${side}, got ${text}`);
  return (JSON.parse(text) as { unproven: readonly Unproven[] }).unproven;
}
