import { AwsError } from '../../aws-error';
import { Service, WireObject, WireValue, needsOf } from '../operation';
import { Parameters } from '../parameters';
import { Call, Protocol, WireAnswer, WireRequest } from './protocol';

export interface JsonService extends Service {
  /** What stands before the dot in `X-Amz-Target`. */
  readonly target: string;
  readonly version: '1.0' | '1.1';
}

/** Codes that this protocol spells in its own way. */
const CODES: Readonly<Record<string, string>> = {
  AccessDenied: 'AccessDeniedException',
  Throttling: 'ThrottlingException',
  MissingAuthenticationToken: 'MissingAuthenticationTokenException',
  IncompleteSignature: 'IncompleteSignatureException',
  InternalFailure: 'InternalServerError',
};

/**
 * AWS JSON 1.0 and 1.1: `X-Amz-Target` names the operation, times are seconds since the epoch.
 *
 * @see https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html
 */
export class JsonProtocol implements Protocol {
  constructor(private readonly services: readonly JsonService[]) {}

  identify(request: WireRequest): { service: string; action: string } {
    const { service, action } = this.targetOf(request);
    return { service: service?.prefix ?? 'unknown', action };
  }

  open(request: WireRequest): Call {
    const { service, action } = this.targetOf(request);
    const operation = service?.operations.get(action);
    if (!service || !operation) {
      throw new AwsError('UnknownOperationException', `Could not find operation ${action}`);
    }
    const input = new Parameters(parseBody(request.body), service.invalidCode);
    const { run, pretend } = operation;
    const write = (result: WireObject) => answer(service.version, 200, result);
    return {
      needs: needsOf(service, action, operation, input),
      run: () => write(run(input, request.principal)),
      pretend: pretend && (() => write(pretend(input, request.principal))),
    };
  }

  fail(error: AwsError, request: WireRequest): WireAnswer {
    const version = this.targetOf(request).service?.version ?? '1.1';
    const name = CODES[error.code] ?? error.code;
    return answer(version, error.status, { __type: name, message: error.message });
  }

  private targetOf(request: WireRequest): { service: JsonService | undefined; action: string } {
    const target = String(request.headers['x-amz-target'] ?? '');
    const dot = target.indexOf('.');
    const service = this.services.find((known) => known.target === target.slice(0, dot));
    return { service, action: target.slice(dot + 1) };
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
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new AwsError('SerializationException', 'The body must be a JSON object');
  }
  return value as Record<string, unknown>;
}

function answer(version: string, status: number, content: WireObject): WireAnswer {
  return {
    status,
    headers: { 'content-type': `application/x-amz-json-${version}` },
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
