import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { oneLine } from '../../core/text/one-line';
import type { FunctionsPort } from '../contract/ports';
import { CLIENT_CONFIG } from './client/client-config';
import { limited } from './client/limited';

/** Longer than any part of a hook may take. */
const INVOKE_MS = 30_000;
const CHECK_MS = 5_000;

/** The functions of a hook. Requests wait meanwhile: a call that has failed is not repeated here. */
export function functionsPort(): FunctionsPort {
  const requestHandler = { ...CLIENT_CONFIG.requestHandler, requestTimeout: INVOKE_MS };
  const client = limited('Lambda', new LambdaClient({ ...CLIENT_CONFIG, maxAttempts: 1, requestHandler }), INVOKE_MS);
  return {
    check: async (functionArn) => {
      const abortSignal = AbortSignal.timeout(CHECK_MS);
      await client.send(new InvokeCommand({ FunctionName: functionArn, InvocationType: 'DryRun' }), { abortSignal });
    },
    invoke: async (functionArn, event, timeoutMs) => {
      const abortSignal = AbortSignal.timeout(timeoutMs);
      const command = new InvokeCommand({ FunctionName: functionArn, Payload: JSON.stringify(event) });
      try {
        const { FunctionError: failure, Payload } = await client.send(command, { abortSignal });
        const text = Buffer.from(Payload ?? []).toString();
        if (failure !== undefined) throw new Error(`'${functionArn}' must respond, got ${oneLine(text, 300)}`);
        return readJson(text);
      } catch (error) {
        if (!abortSignal.aborted) throw error;
        throw new Error(`'${functionArn}' must respond within ${timeoutMs / 1000} s, got no response`, {
          cause: error,
        });
      }
    },
  };
}

/** What is no JSON stays a text: the one who asked names what it must be. A runtime of the user's own may respond with any bytes. */
function readJson(text: string): unknown {
  try {
    return JSON.parse(text === '' ? 'null' : text) as unknown;
  } catch {
    return text;
  }
}
