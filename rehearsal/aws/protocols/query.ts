import { own } from '../../../core/validation/own';
import { AwsError } from '../../errors/aws-error';
import { Service, WireObject, needsOf } from '../wire/operation';
import { Parameters } from '../wire/parameters';
import { Call, Protocol, WireAnswer, WireRequest } from './protocol';
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
  static isSpokenIn({ method, url, headers, signedFor }: WireRequest): boolean {
    const isForm = String(headers['content-type'] ?? '').startsWith('application/x-www-form-urlencoded');
    if (method === 'POST') return isForm;
    return method === 'GET' && signedFor !== 's3' && /^\/\?(?:.*&)?Action=/.test(url);
  }

  identify(request: WireRequest): { service: string; action: string } {
    const form = new URLSearchParams(formOf(request));
    return {
      service: this.serviceOf(form.get('Version'))?.prefix ?? (request.signedFor || 'unknown'),
      action: form.get('Action') ?? 'unknown',
    };
  }

  open(request: WireRequest): Call {
    const form = parseQueryForm(formOf(request));
    const { Action: action, Version: version, ...rest } = form;
    const service = this.serviceOf(version);
    if (!service) throw unknownService(this.known, this.identify(request).service, 'InvalidAction');
    const operation = typeof action === 'string' ? service.operations.get(action) : undefined;
    if (!operation || typeof action !== 'string') {
      throw new AwsError('InvalidAction', `Could not find operation ${String(action)} for version ${String(version)}`);
    }
    const input = new Parameters(rest, service.invalidCode);
    const { run, pretend } = operation;
    const write = (result: WireObject) => this.answer(service, action, result, request.id);
    return {
      needs: needsOf(service, action, operation, input),
      run: () => write(run(input, request.principal)),
      pretend: pretend && (() => write(pretend(input, request.principal))),
    };
  }

  fail(error: AwsError, request: WireRequest): WireAnswer {
    const code = own(CODES, error.code) ?? error.code;
    if (request.signedFor === 'ec2') return failOfEc2(error, code, request);
    const content = {
      Error: { Type: error.status >= 500 ? 'Receiver' : 'Sender', Code: code, Message: error.message },
      RequestId: request.id,
    };
    const version = new URLSearchParams(formOf(request)).get('Version');
    const namespace = this.serviceOf(version)?.namespace;
    return xmlAnswer(error.status, xmlDocument('ErrorResponse', namespace, xmlContent(content, 'member')));
  }

  private serviceOf(version: unknown): QueryService | undefined {
    return this.services.find((service) => service.version === version);
  }

  private answer(service: QueryService, action: string, result: WireObject, requestId: string): WireAnswer {
    const content = { [`${action}Result`]: result, ResponseMetadata: { RequestId: requestId } };
    return xmlAnswer(200, xmlDocument(`${action}Response`, service.namespace, xmlContent(content, 'member')));
  }
}

function formOf({ method, url, body }: WireRequest): string {
  return method === 'GET' ? (url.split('?')[1] ?? '') : body.toString();
}

/** @see https://smithy.io/2.0/aws/protocols/aws-ec2-query-protocol.html its errors have a shape of their own */
function failOfEc2({ message, status }: AwsError, code: string, { id }: WireRequest): WireAnswer {
  const content = { Errors: { Error: { Code: code, Message: message } }, RequestID: id };
  return xmlAnswer(status, xmlDocument('Response', undefined, xmlContent(content)));
}

function xmlAnswer(status: number, body: string): WireAnswer {
  return { status, headers: { 'content-type': 'text/xml' }, body };
}
