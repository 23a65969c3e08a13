import type { Limits } from '../data-plane';
import type { AnswerHead, BodyLength, FieldBlock } from '../halves';
import {
  CONTENT_ENCODING,
  CONTENT_LENGTH,
  CONTENT_TYPE,
  FieldLines,
  KEEP_ALIVE,
  NOT_PASSED,
  TRAILER,
  TRANSFER_ENCODING,
  UPGRADE,
  exactLength,
  scanFields,
  tokens,
} from './field-lines';
import { connectionOptions } from './connection-options';

/** An answer's body that ends with its connection. */
const UNTIL_CLOSE = -1;

/** The head of an upstream's answer over HTTP/1.x, read once and checked. */
export interface Http1AnswerHead extends AnswerHead {
  readonly isChunked: boolean;
  /** The upstream may take another request on this connection after this answer. */
  readonly keepsAlive: boolean;
  /** Milliseconds for which it keeps the connection, as its `Keep-Alive: timeout` says; undefined where it does not say. */
  readonly keptMs: number | undefined;
}

const EVENT_STREAM = /^text\/event-stream\s*(;|$)/i;

/**
 * Reads the head that ends behind `end`.
 *
 * @returns undefined for what no two readers would read alike
 */
export function readAnswerHead(text: string, end: number, method: string, limits: Limits): Http1AnswerHead | undefined {
  const lineEnd = text.indexOf('\r\n');
  const status = readStatus(text, lineEnd);
  if (status < 100) return undefined;
  const lines = scanFields(text, lineEnd + 2, end, limits);
  if (typeof lines === 'string') return undefined;
  const isOld = text.charCodeAt(7) === 48;
  const framing = readFraming(lines, status, method, isOld);
  if (framing === undefined) return undefined;
  const options = connectionOptions(lines);
  if (status === 101 && !options.upgrade) return undefined;
  return {
    status,
    reason: text.slice(13, lineEnd),
    fields: fieldsOf(lines, status, options.named, framing),
    bodyLength: framing.bodyLength,
    statedLength: framing.statedLength,
    isChunked: framing.isChunked,
    isEventStream: lines.has(CONTENT_TYPE) && isEventStream(lines.known(CONTENT_TYPE)!),
    isEncoded: lines.has(CONTENT_ENCODING) && lines.known(CONTENT_ENCODING)!.toLowerCase() !== 'identity',
    keepsAlive:
      !options.close && (!isOld || options.keepAlive) && !isUntilClose(framing) && !announcesBody(lines, status),
    keptMs: lines.has(KEEP_ALIVE) ? keptMs(lines.known(KEEP_ALIVE)!) : undefined,
  };
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
}

/** RFC 9112 section 6.3; undefined for what could be read in two ways. */
function readFraming(lines: FieldLines, status: number, method: string, isOld: boolean): Framing | undefined {
  let stated: number | undefined;
  if (lines.has(CONTENT_LENGTH)) {
    stated = lines.isRepeated(CONTENT_LENGTH) ? undefined : exactLength(lines.known(CONTENT_LENGTH)!);
    if (stated === undefined || lines.has(TRANSFER_ENCODING)) return undefined;
  }
  const isChunked = lines.has(TRANSFER_ENCODING);
  if (isChunked && (isOld || tokens(lines.known(TRANSFER_ENCODING)).join() !== 'chunked')) return undefined;
  // RFC 9110 section 8.6: no Content-Length in a 1xx or 204.
  if (status < 200 || status === 204) return { bodyLength: 0, statedLength: undefined, isChunked: false };
  if (method === 'HEAD' || status === 304) return { bodyLength: 0, statedLength: stated, isChunked: false };
  return { bodyLength: stated ?? UNTIL_CLOSE, statedLength: stated, isChunked };
}

/** A look at the `e` behind `text/` saves nearly all answers the rest. */
function isEventStream(contentType: string): boolean {
  return (contentType.charCodeAt(5) | 32) === 101 && EVENT_STREAM.test(contentType);
}

/** A 204 that speaks of a body may well send it: not before the next answer (RFC 9110 section 15.3.5). */
function announcesBody(lines: FieldLines, status: number): boolean {
  if (status !== 204) return false;
  return lines.has(TRANSFER_ENCODING) || (lines.has(CONTENT_LENGTH) && lines.known(CONTENT_LENGTH) !== '0');
}

function isUntilClose({ bodyLength, isChunked }: Framing): boolean {
  return bodyLength === UNTIL_CLOSE && !isChunked;
}

function fieldsOf(
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
