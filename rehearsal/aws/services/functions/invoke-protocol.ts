import { AwsError } from '../../../errors/aws-error';
import { FunctionError } from '../../../functions/function';
import type { Place } from '../../operations/operation';
import { Call, Protocol, HttpReply, AwsRequest } from '../../protocols/protocol';
import { RestProtocol } from '../../protocols/rest';

/** Calls the function of this ARN. @throws FunctionError */
export type InvokeFunction = (arn: string, event: unknown) => Promise<unknown>;

interface KnownFunctions {
  readonly invoke: InvokeFunction;
  readonly has: (arn: string) => boolean;
}

/** `/2015-03-31/functions/NAME/invocations`, with a name, a partial or a whole ARN. */
const PATH = /^\/2015-03-31\/functions\/([^/?]+)\/invocations(?:\?.*)?$/;

/**
 * Of Lambda, the one call that a person's command makes: Invoke.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
 */
export class InvokeProtocol implements Protocol {
  private readonly rest: RestProtocol;

  constructor(
    private readonly functions: KnownFunctions,
    private readonly place: Place,
    known: readonly string[],
  ) {
    this.rest = new RestProtocol(known);
  }

  identify(request: AwsRequest): { service: string; action: string } {
    return isInvoke(request) ? { service: 'lambda', action: 'Invoke' } : this.rest.identify(request);
  }

  open(request: AwsRequest): Call {
    const [, name] = isInvoke(request) ? (PATH.exec(request.url) ?? []) : [];
    if (name === undefined) return this.rest.open(request);
    const arn = this.buildArn(decodeURIComponent(name));
    return {
      needs: [{ action: 'lambda:InvokeFunction', resources: [arn], context: {} }],
      run: () => this.run(arn, request),
    };
  }

  fail(error: AwsError, request: AwsRequest): HttpReply {
    return this.rest.fail(error, request);
  }

  private async run(arn: string, { headers, body }: AwsRequest): Promise<HttpReply> {
    const event = findEvent(body);
    const type = headers['x-amz-invocation-type'] ?? 'RequestResponse';
    if (type === 'DryRun') {
      if (this.functions.has(arn)) return { status: 204, headers: {}, body: '' };
      throw notFound(arn);
    }
    if (type === 'Event') {
      this.functions.invoke(arn, event).catch(() => undefined);
      return { status: 202, headers: {}, body: '' };
    }
    try {
      return respond(JSON.stringify((await this.functions.invoke(arn, event)) ?? null));
    } catch (error) {
      if (error instanceof FunctionError) return respond(error.message, { 'x-amz-function-error': 'Unhandled' });
      throw notFound(arn);
    }
  }

  private buildArn(name: string): string {
    if (name.startsWith('arn:')) return name;
    const { region, account } = this.place;
    return `arn:aws:lambda:${region}:${account}:function:${name.split(':').at(-1)}`;
  }
}

function notFound(arn: string): AwsError {
  return new AwsError('ResourceNotFoundException', `Function not found: ${arn}`, 404);
}

function isInvoke({ signedFor, method, url }: AwsRequest): boolean {
  return signedFor === 'lambda' && method === 'POST' && PATH.test(url);
}

function findEvent(body: Buffer): unknown {
  try {
    return body.length === 0 ? {} : (JSON.parse(body.toString()) as unknown);
  } catch {
    throw new AwsError('InvalidRequestContentException', 'Could not parse request body into json');
  }
}

function respond(body: string, more: Readonly<Record<string, string>> = {}): HttpReply {
  return {
    status: 200,
    headers: { 'content-type': 'application/json', 'x-amz-executed-version': '$LATEST', ...more },
    body,
  };
}
