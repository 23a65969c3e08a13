import { AwsError } from '../../errors/aws-error';
import { WireObject, WireValue } from '../wire/operation';
import { Call, Protocol, WireAnswer, WireRequest } from './protocol';
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

  identify(request: WireRequest): { service: string; action: string } {
    const { service, serviceName, action } = this.targetOf(request);
    return { service: service?.prefix ?? (request.signedFor || serviceName), action };
  }

  open(request: WireRequest): Call {
    const target = this.targetOf(request);
    const write = (result: WireObject) => answer(target, 200, result);
    return openRpc(target, { known: this.known, request, read: parseBody, write });
  }

  fail(error: AwsError, request: WireRequest): WireAnswer {
    const target = this.targetOf(request);
    const { body, headers } = rpcError(error, target.service);
    return answer(target, error.status, body, headers);
  }

  private targetOf(request: WireRequest): RpcTarget {
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

function answer(
  { service }: RpcTarget,
  status: number,
  content: WireObject,
  headers: Record<string, string> = {},
): WireAnswer {
  return {
    status,
    headers: { 'content-type': `application/x-amz-json-${service?.version ?? '1.1'}`, ...headers },
    body: JSON.stringify(withEpochSeconds(content)),
  };
}

/** `Date.toJSON` would write ISO 8601 before a replacer sees the date. */
function withEpochSeconds(value: WireValue): unknown {
  if (value instanceof Date) return value.getTime() / 1000;
  if (Array.isArray(value)) return value.map((item: WireValue) => withEpochSeconds(item));
  if (typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, withEpochSeconds(member)]));
}
