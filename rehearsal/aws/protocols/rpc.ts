import { AwsError } from '../../errors/aws-error';
import { Service, AwsObject, listNeeds } from '../operations/operation';
import { Parameters } from '../operations/parameters';
import { Call, HttpReply, AwsRequest } from './protocol';
import { unknownService } from './unknown-service';

/** A service that is called by the names of its operations, in JSON or CBOR. */
export interface RpcService extends Service {
  /** Its name in a call: what stands before the dot in `X-Amz-Target`, and in CBOR's path. */
  readonly target: string;
  /** Of AWS JSON. */
  readonly version: '1.0' | '1.1';
  /**
   * Of a service that spoke Query first: error codes of that time by the names that its errors have now. Its responses carry
   * the old code in `x-amzn-query-error`.
   *
   * @see https://smithy.io/2.0/aws/protocols/aws-query-protocol.html#aws-protocols-awsquerycompatible-trait
   */
  readonly queryCodes?: ReadonlyMap<string, string>;
}

/** What a request names. */
export interface RpcTarget {
  readonly service: RpcService | undefined;
  /** The service as the client named it. */
  readonly serviceName: string;
  readonly action: string;
}

/** Codes that these protocols spell in their own way. */
const CODES: ReadonlyMap<string, string> = new Map([
  ['AccessDenied', 'AccessDeniedException'],
  ['Throttling', 'ThrottlingException'],
  ['MissingAuthenticationToken', 'MissingAuthenticationTokenException'],
  ['IncompleteSignature', 'IncompleteSignatureException'],
  ['InternalFailure', 'InternalServerError'],
]);

/** @throws AwsError UnknownOperationException, and what `read` throws of a body */
export function openRpc({ service, serviceName, action }: RpcTarget, { known, request, read, write }: RpcCodec): Call {
  if (!service) throw unknownService(known, request.signedFor || serviceName, 'UnknownOperationException');
  const operation = service.operations.get(action);
  if (!operation) throw new AwsError('UnknownOperationException', `Could not find operation ${action}`);
  const input = new Parameters(read(request.body), service.invalidCode);
  const { run, pretend } = operation;
  return {
    needs: listNeeds(service, action, operation, input),
    run: () => write(run(input, request.principal)),
    pretend: pretend && (() => write(pretend(input, request.principal))),
  };
}

export interface RpcCodec {
  readonly known: readonly string[];
  readonly request: AwsRequest;
  readonly read: (body: Buffer) => Record<string, unknown>;
  readonly write: (result: AwsObject) => HttpReply;
}

/** The members of an error's body, and the header that tells its old code. */
export function rpcError(
  { code, message, status }: AwsError,
  service: RpcService | undefined,
): { readonly body: { __type: string; message: string }; readonly headers: Record<string, string> } {
  const name = CODES.get(code) ?? code;
  const isOld = service?.queryCodes !== undefined;
  const type = service?.queryCodes?.get(code) ?? name;
  const blame = status >= 500 ? 'Receiver' : 'Sender';
  return { body: { __type: type, message }, headers: isOld ? { 'x-amzn-query-error': `${code};${blame}` } : {} };
}

/** @throws AwsError SerializationException */
export function checkedBody(value: unknown, format: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new AwsError('SerializationException', `The body must be a ${format} object`);
  }
  return value as Record<string, unknown>;
}
