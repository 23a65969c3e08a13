import type { Limits } from '../../contract/data-plane';
import type { Deviation } from '../../contract/deviations';
import type { ResponseHead, BodyLength, FieldBlock } from '../../contract/streams';
import {
  CONTENT_ENCODING,
  CONTENT_LENGTH,
  CONTENT_TYPE,
  DATE,
  FieldLines,
  KEEP_ALIVE,
  NOT_PASSED,
  Source,
  TRAILER,
  TRANSFER_ENCODING,
  UPGRADE,
  WWW_AUTHENTICATE,
  exactLength,
  isLooseValueCode,
  scanFields,
  tokens,
} from '../../fields/field-lines';
import { isBoundLogin } from './bound-logins';
import { ConnectionOptions, respondToOptions } from '../../fields/connection-options';
import { withoutSpace } from '../../fields/lines';
import { repairResponseHead } from '../../fields/repaired';

/** A response's body that ends with its connection. */
const UNTIL_CLOSE = -1;

/** The head of an upstream's response over HTTP/1.x, read once and checked. */
export interface Http1ResponseHead extends ResponseHead {
  readonly isChunked: boolean;
  /** The upstream may take another request on this connection after this response. */
  readonly keepsAlive: boolean;
  /** Milliseconds for which it keeps the connection, as its `Keep-Alive: timeout` says; undefined where it does not say. */
  readonly keptMs: number | undefined;
  /** It asks for a login that holds for the whole connection, or responds to one. */
  readonly bindsLogin: boolean;
  /** How it was not as it should be. */
  readonly deviations: readonly Deviation[];
}

const NONE: readonly Deviation[] = [];

const EVENT_STREAM = /^text\/event-stream\s*(;|$)/i;

/**
 * Reads the head of a response, with the empty line behind it. One that is not as it should be, and could not be read in
 * another way, is read all the same: see `deviations`. Its lines are limited by their bytes alone.
 *
 * @returns why not, for what two readers could read in two ways
 */
export function readResponseHead(
  text: string,
  method: string,
  limits: Pick<Limits, 'fieldBytes'>,
  source?: Source,
): Http1ResponseHead | string {
  const head = readHead(text, method, limits, NONE, source);
  if (typeof head !== 'string') return head;
  const repaired = repairResponseHead(text);
  return repaired === undefined ? head : readHead(repaired.text, method, limits, repaired.deviations);
}

/** Of a response whose head has gone on: what its end depends on. */
export function createPastHead(status: number, keepsAlive: boolean): Http1ResponseHead {
  return {
    ...{ status, keepsAlive, httpVersion: '1.1', reason: '', fields: '', bodyLength: UNTIL_CLOSE },
    ...{ statedLength: undefined, isChunked: false, isEventStream: false, isEncoded: false },
    ...{ keptMs: undefined, bindsLogin: false, deviations: NONE },
  };
}

function readHead(
  text: string,
  method: string,
  { fieldBytes }: Pick<Limits, 'fieldBytes'>,
  deviations: readonly Deviation[],
  source?: Source,
): Http1ResponseHead | string {
  const lineEnd = text.indexOf('\r\n');
  const status = readStatus(text, lineEnd);
  if (status < 100) return 'a malformed status line';
  const isValue = deviations.length === 0 ? undefined : isLooseValueCode;
  const limits = { fieldBytes, fieldLines: Infinity };
  const lines = scanFields(text, lineEnd + 2, text.length, limits, isValue, source);
  if (typeof lines === 'string') return lines === 'tooLarge' ? 'a head over the limits' : 'a malformed field line';
  const httpVersion = readVersion(text);
  const isOld = httpVersion === '1.0';
  const framing = readFraming(lines, status, method, isOld);
  if (typeof framing === 'string') return framing;
  const options = respondToOptions(lines);
  if (status === 101 && !options.upgrade) return "a 101 without 'Connection: upgrade'";
  const all = framing.deviations.length === 0 ? deviations : [...deviations, ...framing.deviations];
  return {
    status,
    httpVersion,
    reason: text.slice(13, lineEnd),
    fields: listFields(lines, status, options.named, framing),
    bodyLength: framing.bodyLength,
    statedLength: framing.statedLength,
    isChunked: framing.isChunked,
    lacksDate: !lines.has(DATE),
    isEventStream: lines.has(CONTENT_TYPE) && isEventStream(lines.known(CONTENT_TYPE)!),
    isEncoded: lines.has(CONTENT_ENCODING) && lines.known(CONTENT_ENCODING)!.toLowerCase() !== 'identity',
    keepsAlive: all.length === 0 && keepsAlive(options, isOld, framing) && !announcesBody(lines, status),
    keptMs: lines.has(KEEP_ALIVE) ? keptMs(lines.known(KEEP_ALIVE)!) : undefined,
    bindsLogin: lines.has(WWW_AUTHENTICATE) && isBoundLogin(lines.known(WWW_AUTHENTICATE)),
    deviations: all,
  };
}

function keepsAlive({ close, keepAlive }: ConnectionOptions, isOld: boolean, framing: Framing): boolean {
  return !close && (!isOld || keepAlive) && !isUntilClose(framing);
}

function readVersion(text: string): '1.0' | '1.1' {
  return text.charCodeAt(7) === 48 ? '1.0' : '1.1';
}

/** `HTTP/1.x SP 3DIGIT SP reason`, the reason possibly empty and its space possibly absent; -1 for anything else. */
function readStatus(text: string, lineEnd: number): number {
  if (lineEnd < 12 || !text.startsWith('HTTP/1.')) return -1;
  const minor = text.charCodeAt(7);
  if (minor < 48 || minor > 57 || text.charCodeAt(8) !== 32) return -1;
  let status = 0;
  for (let at = 9; at < 12; at += 1) {
    const digit = text.charCodeAt(at) - 48;
    if (!(digit >= 0 && digit <= 9)) return -1;
    status = status * 10 + digit;
  }
  if (lineEnd > 12 && text.charCodeAt(12) !== 32) return -1;
  for (let at = 13; at < lineEnd; at += 1) {
    const code = text.charCodeAt(at);
    if ((code < 32 && code !== 9) || code === 127) return -1;
  }
  return status;
}

interface Framing {
  readonly bodyLength: BodyLength;
  readonly statedLength: number | undefined;
  readonly isChunked: boolean;
  readonly deviations: readonly Deviation[];
}

/** RFC 9112 section 6.3; why not, for what could be read in two ways. */
function readFraming(lines: FieldLines, status: number, method: string, isOld: boolean): Framing | string {
  const codings = lines.has(TRANSFER_ENCODING) ? readCodings(lines, isOld) : NO_CODING;
  if (typeof codings === 'string') return codings;
  const length = lines.has(CONTENT_LENGTH) && !codings.isChunked ? readLength(lines) : NO_LENGTH;
  if (typeof length === 'string') return length;
  const { isChunked } = codings;
  const { stated } = length;
  const deviations = join(codings.deviations, length.deviations);
  // RFC 9110 section 8.6: no Content-Length in a 1xx or 204.
  if (status < 200 || status === 204) return { bodyLength: 0, statedLength: undefined, isChunked: false, deviations };
  if (method === 'HEAD' || status === 304) return { bodyLength: 0, statedLength: stated, isChunked: false, deviations };
  return { bodyLength: stated ?? UNTIL_CLOSE, statedLength: stated, isChunked, deviations };
}

interface Codings {
  readonly isChunked: boolean;
  readonly deviations: readonly Deviation[];
}

const NO_CODING: Codings = { isChunked: false, deviations: NONE };
const CHUNKED: Codings = { isChunked: true, deviations: NONE };

/** Chunked wins over a length, whatever that says (RFC 9112 section 6.3, rule 3), and the length goes no further. */
function readCodings(lines: FieldLines, isOld: boolean): Codings | string {
  const codings = tokens(lines.known(TRANSFER_ENCODING)).filter((coding) => coding !== '');
  if (codings.length === 0 || (codings.length === 1 && codings[0] === 'identity')) {
    return { isChunked: false, deviations: ['noCoding'] };
  }
  if (codings.length > 1 || codings[0] !== 'chunked') return 'a transfer coding other than chunked';
  const hasLength = lines.has(CONTENT_LENGTH);
  if (!isOld && !hasLength) return CHUNKED;
  return {
    isChunked: true,
    deviations: [
      ...(isOld ? (['chunkedInHttp10'] as const) : NONE),
      ...(hasLength ? (['lengthAndChunked'] as const) : NONE),
    ],
  };
}

interface Length {
  readonly stated: number | undefined;
  readonly deviations: readonly Deviation[];
}

const NO_LENGTH: Length = { stated: undefined, deviations: NONE };

function readLength(lines: FieldLines): Length | string {
  const value = lines.known(CONTENT_LENGTH)!;
  const stated = exactLength(value);
  if (stated !== undefined) return { stated, deviations: NONE };
  // RFC 9110 section 8.6: the same number several times is one.
  const [first, ...others] = value.split(',').map((each) => exactLength(withoutSpace(each)));
  if (first === undefined || others.length === 0 || others.some((other) => other !== first)) {
    return others.length === 0 ? 'a malformed Content-Length' : 'several lengths that differ';
  }
  return { stated: first, deviations: ['equalLengths'] };
}

function join(some: readonly Deviation[], others: readonly Deviation[]): readonly Deviation[] {
  return others.length === 0 ? some : [...some, ...others];
}

/** A look at the `e` behind `text/` spares nearly all responses the rest. */
function isEventStream(contentType: string): boolean {
  return (contentType.charCodeAt(5) | 32) === 101 && EVENT_STREAM.test(contentType);
}

/** A 204 that speaks of a body may well send it: not before the next response (RFC 9110 section 15.3.5). */
function announcesBody(lines: FieldLines, status: number): boolean {
  if (status !== 204) return false;
  return lines.has(TRANSFER_ENCODING) || (lines.has(CONTENT_LENGTH) && lines.known(CONTENT_LENGTH) !== '0');
}

function isUntilClose({ bodyLength, isChunked }: Framing): boolean {
  return bodyLength === UNTIL_CLOSE && !isChunked;
}

function listFields(
  lines: FieldLines,
  status: number,
  named: ReadonlySet<string> | undefined,
  { isChunked }: Framing,
): FieldBlock {
  let bits = NOT_PASSED;
  if (!isChunked) bits |= TRAILER;
  // A switch names what it switches to.
  if (status === 101) bits &= ~UPGRADE;
  return lines.without(bits, named);
}

function keptMs(value: string): number | undefined {
  const seconds = /(?:^|[,\s])timeout=(\d{1,6})\b/i.exec(value)?.[1];
  return seconds === undefined ? undefined : Number(seconds) * 1000;
}
