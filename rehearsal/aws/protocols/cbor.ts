import { cbor, dateToTag } from '@smithy/core/cbor';
import { AwsError } from '../../errors/aws-error';
import { AwsObject, AwsValue } from '../operations/operation';
import { Call, Protocol, HttpReply, AwsRequest } from './protocol';
import { RpcService, RpcTarget, checkedBody, openRpc, rpcError } from './rpc';

const PROTOCOL = 'rpc-v2-cbor';
const PATH = /^\/service\/(?:[^/?]*\.)?([^/?.]+)\/operation\/([^/?]+)$/;

/**
 * Smithy RPC v2 CBOR: the path names service and operation, bodies are CBOR maps. Today's SDKs speak it with CloudWatch.
 *
 * @see https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html
 */
export class CborProtocol implements Protocol {
  /** @param known the services that are here, for the message that another one gets */
  constructor(
    private readonly services: readonly RpcService[],
    private readonly known: readonly string[],
  ) {}

  static isSpokenIn({ headers }: AwsRequest): boolean {
    return headers['smithy-protocol'] === PROTOCOL;
  }

  identify(request: AwsRequest): { service: string; action: string } {
    const { service, serviceName, action } = this.findTarget(request);
    return { service: service?.prefix ?? (request.signedFor || serviceName), action };
  }

  open(request: AwsRequest): Call {
    const target = this.findTarget(request);
    return openRpc(target, { known: this.known, request, read: parseBody, write: (result) => respond(200, result) });
  }

  fail(error: AwsError, request: AwsRequest): HttpReply {
    const { body, headers } = rpcError(error, this.findTarget(request).service);
    return respond(error.status, body, headers);
  }

  private findTarget({ url, signedFor }: AwsRequest): RpcTarget {
    const [, serviceName = signedFor, action = 'unknown'] = PATH.exec(url.split('?')[0] ?? '') ?? [];
    return { service: this.services.find(({ target }) => target === serviceName), serviceName, action };
  }
}

function parseBody(body: Buffer): Record<string, unknown> {
  if (body.length === 0) return {};
  let value: unknown;
  try {
    value = cbor.deserialize(body);
  } catch {
    throw new AwsError('SerializationException', 'The body must be CBOR');
  }
  return checkedBody(value, 'CBOR');
}

function respond(status: number, content: AwsObject, headers: Record<string, string> = {}): HttpReply {
  return {
    status,
    headers: { 'content-type': 'application/cbor', 'smithy-protocol': PROTOCOL, ...headers },
    // The encoder reuses its buffer.
    body: Buffer.from(cbor.serialize(withTags(content))),
  };
}

/** A time is tag 1, seconds since the epoch. An absent member is left out. */
function withTags(value: AwsValue): unknown {
  if (value instanceof Date) return dateToTag(value);
  if (Array.isArray(value)) return value.map((item: AwsValue) => withTags(item));
  if (typeof value !== 'object') return value;
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return Object.fromEntries(members.map(([name, member]) => [name, withTags(member)]));
}
