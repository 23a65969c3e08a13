import { AwsError } from '../../errors/aws-error';
import { AwsObject, AwsValue } from '../operations/operation';
import { Call, Protocol, HttpReply, AwsRequest } from './protocol';
import { RpcService, RpcTarget, checkedBody, openRpc, rpcError } from './rpc';

/**
 * AWS JSON 1.0 and 1.1: `X-Amz-Target` names the operation, times are seconds since the epoch.
 *
 * @see https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html
 */
export class JsonProtocol implements Protocol {
  /** @param known the services that are here, for the message that another one gets */
  constructor(
    private readonly services: readonly RpcService[],
    private readonly known: readonly string[],
  ) {}

  identify(request: AwsRequest): { service: string; action: string } {
    const { service, serviceName, action } = this.findTarget(request);
    return { service: service?.prefix ?? (request.signedFor || serviceName), action };
  }

  open(request: AwsRequest): Call {
    const target = this.findTarget(request);
    const write = (result: AwsObject) => respond(target, 200, result);
    return openRpc(target, { known: this.known, request, read: parseBody, write });
  }

  fail(error: AwsError, request: AwsRequest): HttpReply {
    const target = this.findTarget(request);
    const { body, headers } = rpcError(error, target.service);
    return respond(target, error.status, body, headers);
  }

  private findTarget(request: AwsRequest): RpcTarget {
    const target = String(request.headers['x-amz-target'] ?? '');
    const dot = target.indexOf('.');
    const serviceName = target.slice(0, Math.max(0, dot));
    const service = this.services.find((known) => known.target === serviceName);
    return { service, serviceName, action: target.slice(dot + 1) };
  }
}

function parseBody(body: Buffer): Record<string, unknown> {
  if (body.length === 0) return {};
  let value: unknown;
  try {
    value = JSON.parse(body.toString());
  } catch {
    throw new AwsError('SerializationException', 'The body must be JSON');
  }
  return checkedBody(value, 'JSON');
}

function respond(
  { service }: RpcTarget,
  status: number,
  content: AwsObject,
  headers: Record<string, string> = {},
): HttpReply {
  return {
    status,
    headers: { 'content-type': `application/x-amz-json-${service?.version ?? '1.1'}`, ...headers },
    body: JSON.stringify(withEpochSeconds(content)),
  };
}

/** `Date.toJSON` would write ISO 8601 before a replacer sees the date. */
function withEpochSeconds(value: AwsValue): unknown {
  if (value instanceof Date) return value.getTime() / 1000;
  if (Array.isArray(value)) return value.map((item: AwsValue) => withEpochSeconds(item));
  if (typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, withEpochSeconds(member)]));
}
