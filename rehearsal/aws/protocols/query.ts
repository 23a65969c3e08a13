import { own } from '../../../core/validation/own';
import { AwsError } from '../../errors/aws-error';
import { Service, AwsObject, listNeeds } from '../operations/operation';
import { Parameters } from '../operations/parameters';
import { Call, Protocol, HttpReply, AwsRequest } from './protocol';
import { parseQueryForm } from './query-form';
import { unknownService } from './unknown-service';
import { xmlContent, xmlDocument } from './xml';

export interface QueryService extends Service {
  /** Of the API, as every call names it: `2015-12-01`. */
  readonly version: string;
  readonly namespace: string;
}

/** Codes that this protocol spells in its own way. */
const CODES: Readonly<Record<string, string>> = {
  SerializationException: 'MalformedInput',
};

/**
 * AWS Query: a form in, XML out.
 *
 * @see https://smithy.io/2.0/aws/protocols/aws-query-protocol.html
 */
export class QueryProtocol implements Protocol {
  /** @param known the services that are here, for the message that another one gets */
  constructor(
    private readonly services: readonly QueryService[],
    private readonly known: readonly string[],
  ) {}

  /** A form, or the same in the query of a GET, which is how calls are signed in advance. */
  static isSpokenIn({ method, url, headers, signedFor }: AwsRequest): boolean {
    const isForm = String(headers['content-type'] ?? '').startsWith('application/x-www-form-urlencoded');
    if (method === 'POST') return isForm;
    return method === 'GET' && signedFor !== 's3' && /^\/\?(?:.*&)?Action=/.test(url);
  }

  identify(request: AwsRequest): { service: string; action: string } {
    const form = new URLSearchParams(parseForm(request));
    return {
      service: this.findService(form.get('Version'))?.prefix ?? (request.signedFor || 'unknown'),
      action: form.get('Action') ?? 'unknown',
    };
  }

  open(request: AwsRequest): Call {
    const form = parseQueryForm(parseForm(request));
    const { Action: action, Version: version, ...rest } = form;
    const service = this.findService(version);
    if (!service) throw unknownService(this.known, this.identify(request).service, 'InvalidAction');
    const operation = typeof action === 'string' ? service.operations.get(action) : undefined;
    if (!operation || typeof action !== 'string') {
      throw new AwsError('InvalidAction', `Could not find operation ${String(action)} for version ${String(version)}`);
    }
    const input = new Parameters(rest, service.invalidCode);
    const { run, pretend } = operation;
    const write = (result: AwsObject) => this.respond(service, action, result, request.id);
    return {
      needs: listNeeds(service, action, operation, input),
      run: () => write(run(input, request.principal)),
      pretend: pretend && (() => write(pretend(input, request.principal))),
    };
  }

  fail(error: AwsError, request: AwsRequest): HttpReply {
    const code = own(CODES, error.code) ?? error.code;
    if (request.signedFor === 'ec2') return failOfEc2(error, code, request);
    const content = {
      Error: { Type: error.status >= 500 ? 'Receiver' : 'Sender', Code: code, Message: error.message },
      RequestId: request.id,
    };
    const version = new URLSearchParams(parseForm(request)).get('Version');
    const namespace = this.findService(version)?.namespace;
    return xmlResponse(error.status, xmlDocument('ErrorResponse', namespace, xmlContent(content, 'member')));
  }

  private findService(version: unknown): QueryService | undefined {
    return this.services.find((service) => service.version === version);
  }

  private respond(service: QueryService, action: string, result: AwsObject, requestId: string): HttpReply {
    const content = { [`${action}Result`]: result, ResponseMetadata: { RequestId: requestId } };
    return xmlResponse(200, xmlDocument(`${action}Response`, service.namespace, xmlContent(content, 'member')));
  }
}

function parseForm({ method, url, body }: AwsRequest): string {
  return method === 'GET' ? (url.split('?')[1] ?? '') : body.toString();
}

/** @see https://smithy.io/2.0/aws/protocols/aws-ec2-query-protocol.html its errors have a shape of their own */
function failOfEc2({ message, status }: AwsError, code: string, { id }: AwsRequest): HttpReply {
  const content = { Errors: { Error: { Code: code, Message: message } }, RequestID: id };
  return xmlResponse(status, xmlDocument('Response', undefined, xmlContent(content)));
}

function xmlResponse(status: number, body: string): HttpReply {
  return { status, headers: { 'content-type': 'text/xml' }, body };
}
