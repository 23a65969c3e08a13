import { AwsError } from '../../errors/aws-error';
import { Call, Protocol, HttpReply, AwsRequest } from './protocol';
import { unknownService } from './unknown-service';
import { xmlContent, xmlDocument } from './xml';

/** Services by their signing names whose REST speaks XML; the many others speak JSON. */
const XML_SERVICES: readonly string[] = ['route53', 'cloudfront'];
/** Codes that this protocol spells in its own way. */
const CODES: ReadonlyMap<string, string> = new Map([
  ['AccessDenied', 'AccessDeniedException'],
  ['Throttling', 'ThrottlingException'],
  ['MissingAuthenticationToken', 'MissingAuthenticationTokenException'],
  ['InternalFailure', 'InternalServerException'],
]);

/**
 * REST-JSON and REST-XML: a path names what is asked. No service of a cutover speaks them, so every call gets the error of
 * an unknown service, in the shape that its client can read.
 *
 * @see https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html#operation-error-serialization
 */
export class RestProtocol implements Protocol {
  /** @param known the services that are here, for the message */
  constructor(private readonly known: readonly string[]) {}

  identify({ signedFor, method }: AwsRequest): { service: string; action: string } {
    return { service: signedFor === '' ? 'unknown' : signedFor, action: method };
  }

  open(request: AwsRequest): Call {
    const { service } = this.identify(request);
    throw unknownService(this.known, service, 'UnknownOperationException');
  }

  fail(error: AwsError, request: AwsRequest): HttpReply {
    const isXml = XML_SERVICES.includes(request.signedFor);
    return isXml ? failInXml(error, request) : failInJson(error);
  }
}

function failInJson({ code, message, status }: AwsError): HttpReply {
  const type = CODES.get(code) ?? code;
  const headers = { 'content-type': 'application/json', 'x-amzn-errortype': type };
  return { status, headers, body: JSON.stringify({ __type: type, message }) };
}

function failInXml({ code, message, status }: AwsError, { id }: AwsRequest): HttpReply {
  const content = {
    Error: { Type: status >= 500 ? 'Receiver' : 'Sender', Code: code, Message: message },
    RequestId: id,
  };
  const body = xmlDocument('ErrorResponse', undefined, xmlContent(content));
  return { status, headers: { 'content-type': 'text/xml' }, body };
}
