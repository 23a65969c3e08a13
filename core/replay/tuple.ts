import { HttpMessage, parseRequestLine, parseStatusLine, readBody } from '../capture/http-message';
import type { OutgoingRequest } from './outgoing';

/** A response of the target. */
export interface TargetResponse {
  readonly status: number;
  readonly reason: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Uint8Array;
  /** Whether only its beginning was kept. */
  readonly isCut: boolean;
  readonly elapsedMs: number;
}

/** All that became of one request. */
export interface Replayed {
  readonly id: string;
  readonly request: HttpMessage;
  readonly response: HttpMessage | undefined;
  readonly sent: OutgoingRequest | undefined;
  readonly targetResponses: readonly TargetResponse[];
  /** Of attempts without a response. */
  readonly errors: readonly string[];
  /** Why it was parked. */
  readonly parked?: string;
}

/** One line of the tuples that the replayer of OpenSearch Migrations writes. */
export function formatTuple(replayed: Replayed): object {
  const { id, request, response, sent, targetResponses, errors, parked } = replayed;
  const error = parked ?? errors.at(-1);
  return {
    sourceRequest: describeRequest(request),
    ...(response && { sourceResponse: describeResponse(response, request) }),
    ...(sent && {
      targetRequest: {
        'Request-URI': sent.path,
        Method: sent.method,
        'HTTP-Version': 'HTTP/1.1',
        ...describeHeaders(sent.headers),
        payload: describeBody(sent.headers, sent.body),
      },
    }),
    targetResponses: targetResponses.map(({ status, reason, headers, body, elapsedMs }) => ({
      'HTTP-Version': 'HTTP/1.1',
      'Status-Code': status,
      'Reason-Phrase': reason,
      response_time_ms: Math.round(elapsedMs),
      ...describeHeaders(headers),
      payload: describeBody(headers, body),
    })),
    connectionId: id,
    numRequests: targetResponses.length + errors.length,
    numErrors: errors.length,
    ...(error !== undefined && { error }),
  };
}

function describeRequest(message: HttpMessage): object {
  const line = parseRequestLine(message.startLine);
  return {
    'Request-URI': line?.target ?? message.startLine,
    Method: line?.method ?? '',
    'HTTP-Version': line?.version ?? '',
    ...describeHeaders(message.headers),
    payload: describeBody(message.headers, readBody(message)),
  };
}

function describeResponse(message: HttpMessage, request: HttpMessage): object {
  const line = parseStatusLine(message.startLine);
  return {
    'HTTP-Version': line?.version ?? '',
    'Status-Code': line?.status ?? 0,
    'Reason-Phrase': line?.reason ?? '',
    response_time_ms: Math.max(0, Math.round(message.lastByteMs - request.lastByteMs)),
    ...describeHeaders(message.headers),
    payload: describeBody(message.headers, readBody(message)),
  };
}

function describeHeaders(headers: HttpMessage['headers']): Record<string, string> {
  const found = new Map<string, string>();
  for (const [name, value] of headers) found.set(name, found.has(name) ? `${found.get(name)}, ${value}` : value);
  return Object.fromEntries(found);
}

function describeBody(headers: HttpMessage['headers'], body: Uint8Array): object {
  if (body.length === 0) return {};
  const find = (name: string) => headers.find(([each]) => each.toLowerCase() === name)?.[1] ?? '';
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  if (!/^(|identity)$/i.test(find('content-encoding'))) return { inlinedBase64Body: bytes.toString('base64') };
  const text = bytes.toString();
  // What is no UTF-8 would not be the same any more.
  if (!Buffer.from(text).equals(bytes)) return { inlinedBase64Body: bytes.toString('base64') };
  if (!/json/i.test(find('content-type'))) return { inlinedTextBody: text };
  return parseOne(text) ?? parseLines(text) ?? { inlinedTextBody: text };
}

function parseOne(text: string): object | undefined {
  try {
    return { inlinedJsonBody: JSON.parse(text) as unknown };
  } catch {
    return undefined;
  }
}

function parseLines(text: string): object | undefined {
  try {
    const lines = text.split('\n').filter((line) => line.trim() !== '');
    return { inlinedJsonSequenceBodies: lines.map((line) => JSON.parse(line) as unknown) };
  } catch {
    return undefined;
  }
}
