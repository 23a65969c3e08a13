/**
 * The execution environment of one Lambda function, in a process of its own: loads the bundle, responds to events one after
 * another over IPC, and reports an exception as Lambda does. It ends with its parent.
 */
import { randomUUID } from 'node:crypto';
import { existsSync, realpathSync } from 'node:fs';
import { createRequire, registerHooks } from 'node:module';
import { join, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import { own } from '../../core/validation/own';
import { machineTime } from '../processes/machine-time';

export interface Invocation {
  readonly id: number;
  readonly event: unknown;
  readonly functionArn: string;
}

/** `failure` has the shape in which Lambda reports an exception. */
export interface Result {
  readonly id: number;
  readonly value?: unknown;
  readonly failure?: { readonly errorType: string; readonly errorMessage: string; readonly trace: readonly string[] };
}

type Handler = (event: unknown, context: object) => Promise<unknown>;

/**
 * A function is deployed without what lies above its folder: a `package.json` there, as of an app whose `type` is `module`, says nothing of
 * its files.
 */
function loadAsDeployed(folder: string): void {
  if (existsSync(join(folder, 'package.json'))) return;
  const within = pathToFileURL(realpathSync(folder) + sep).href;
  registerHooks({
    load: (url, context, next) =>
      next(url, url.startsWith(within) && url.endsWith('.js') ? { ...context, format: 'commonjs' } : context),
  });
}

/** `index.handler`: a file without its ending, and the name that it exports. */
function load(folder: string, handler: string): Handler {
  const [file = '', name = ''] = handler.split('.');
  const module = createRequire(join(folder, 'index.js'))(join(folder, `${file}.js`)) as Record<string, Handler>;
  const found = own(module, name);
  if (typeof found !== 'function') throw new Error(`'${handler}' must be a function of ${folder}, got ${typeof found}`);
  return found;
}

const [folder = '', name = ''] = process.argv.slice(2);
loadAsDeployed(folder);
const handler = load(folder, name);

process.on('disconnect', () => process.exit(0));
machineTime.start();
let last = Promise.resolve();
process.on('message', (invocation: Invocation) => {
  last = last.then(() => respond(invocation));
});

/** @see https://docs.aws.amazon.com/lambda/latest/dg/nodejs-context.html */
function findContext({ functionArn }: Invocation): object {
  const { AWS_LAMBDA_FUNCTION_NAME: functionName = '', AWS_LAMBDA_FUNCTION_TIMEOUT: seconds = '3' } = process.env;
  const endsMs = machineTime.nowMs + Number(seconds) * 1000;
  return {
    functionName,
    functionVersion: '$LATEST',
    invokedFunctionArn: functionArn,
    memoryLimitInMB: '128',
    awsRequestId: randomUUID(),
    logGroupName: `/aws/lambda/${functionName}`,
    logStreamName: 'rehearsal',
    // In the wall clock's milliseconds, of which a limit is worth more where the machine is short of time.
    getRemainingTimeInMillis: () => Math.max(0, Math.round((endsMs - machineTime.nowMs) / machineTime.share)),
  };
}

/** Never rejects: what a handler throws is its response. */
async function respond(invocation: Invocation): Promise<void> {
  const { id, event } = invocation;
  try {
    process.send?.({ id, value: await handler(event, findContext(invocation)) } satisfies Result);
  } catch (error) {
    const { name: errorType, message, stack } = error instanceof Error ? error : new Error(String(error));
    const trace = (stack ?? '').split('\n').slice(0, 10);
    process.send?.({ id, failure: { errorType, errorMessage: message, trace } } satisfies Result);
  }
}
