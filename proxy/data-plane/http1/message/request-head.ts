import type { Limits, RequestHead } from '../../contract/data-plane';
import type { PackedHead } from '../../contract/handover';
import type { EngineHead, FieldBlock, ReplacedFields } from '../../contract/streams';
import type { Peer, Transport } from '../../contract/transport';
import { EXPECT, HOST, NOT_OF_CLIENTS, NOT_PASSED, TRAILER, fieldBit, isTokenCode } from '../../fields/field-lines';
import { listLines } from '../../fields/lines';
import { Rejection, TOO_LONG_LINE } from '../../fields/http-error';
import { RequestFields, isHost, plainHost, readRequestFields } from '../../fields/request-fields';

const MALFORMED_LINE = new Rejection(400, 'The request line must be METHOD SP TARGET SP HTTP/1.x');
const ALLOWED = { allow: 'GET, HEAD, POST, PUT, DELETE, OPTIONS' };

/** The head of a request over HTTP/1.x, read once and checked. */
export class Http1Head implements EngineHead {
  readonly isGrpc = false;
  private record: RequestHead['headers'] | undefined = undefined;

  constructor(
    readonly method: string,
    readonly url: string,
    readonly httpVersion: '1.0' | '1.1',
    /** The host of an absolute target, which takes the place of the Host field (RFC 9112 section 3.2.2). */
    private readonly authority: string | undefined,
    private readonly fields: RequestFields,
    private readonly transport: Transport,
  ) {}

  /** A head of another process, where it was within the limits. It throws where it is none. */
  static unpack({ method, url, httpVersion, fields }: PackedHead, limits: Limits): (transport: Transport) => Http1Head {
    const read = readRequestFields(`${fields}\r\n`, { ...limits, fieldBytes: Infinity, fieldLines: Infinity });
    if (read instanceof Rejection)
      throw new Error(`A head must be one of HTTP/1.1, got one of which it is said: ${read.why}`);
    return (transport) => new Http1Head(method, url, httpVersion, undefined, read, transport);
  }

  /** For another process. */
  pack(): PackedHead {
    const { method, url, httpVersion, authority, fields } = this;
    const lines = fields.lines.without(authority === undefined ? 0 : HOST, undefined);
    return { method, url, httpVersion, fields: authority === undefined ? lines : `${lines}Host: ${authority}\r\n` };
  }

  get bodyLength(): number {
    return this.fields.bodyLength;
  }

  get takesTrailers(): boolean {
    return this.fields.takesTrailers;
  }

  /** RFC 9110 section 7.8: HTTP/1.0 has none, and what it asks for is ignored. A WebSocket is rejected, as it would fail. */
  get upgrade(): string | undefined {
    const { upgrade } = this.fields;
    return this.httpVersion === '1.1' || upgrade === 'websocket' ? upgrade : undefined;
  }

  get isUpgrade(): boolean {
    return this.upgrade !== undefined;
  }

  /**
   * Whether the client may send another request after this one. A client that asked for another protocol may speak it
   * already: what it sends after a rejection is no request.
   */
  get keepsAlive(): boolean {
    const { close, keepAlive } = this.fields.options;
    return !close && (keepAlive || this.httpVersion === '1.1') && !this.isUpgrade;
  }

  /** The client has said that nothing follows, and no body does: it sends no more (RFC 9112 section 9.6). */
  get isLast(): boolean {
    return this.fields.options.close && this.bodyLength === 0 && !this.isUpgrade;
  }

  get client(): Peer {
    return this.transport.peer;
  }

  get isTls(): boolean {
    return this.transport.isTls;
  }

  get expectsContinue(): boolean {
    return this.fields.hasExpect && this.httpVersion === '1.1';
  }

  field(name: string): string | undefined {
    return name === 'host' && this.authority !== undefined ? this.authority : this.fields.lines.value(name);
  }

  get headers(): RequestHead['headers'] {
    this.record ??= this.readRecord();
    return this.record;
  }

  block(replaced: ReplacedFields | undefined): FieldBlock {
    let bits = NOT_PASSED | NOT_OF_CLIENTS;
    let names: Set<string> | undefined;
    let added = '';
    // Trailers are announced where there can be some.
    if (!this.fields.isChunked) bits |= TRAILER;
    // RFC 9110 section 10.1.1: an expectation of HTTP/1.0 is ignored.
    if (this.httpVersion === '1.0') bits |= EXPECT;
    else if (!this.fields.isPlainExpect) {
      bits |= EXPECT;
      if (this.fields.hasExpect) added += 'Expect: 100-continue\r\n';
    }
    if (this.authority !== undefined && replaced?.host === undefined) {
      bits |= HOST;
      added += `Host: ${this.authority}\r\n`;
    }
    for (const name in replaced) {
      const bit = fieldBit(name);
      if (bit !== 0) bits |= bit;
      else names = (names ?? new Set()).add(name);
      added += listLines(name, replaced[name]);
    }
    return this.fields.without(bits, names) + added;
  }

  private readRecord(): Record<string, string | string[] | undefined> {
    const record = this.fields.lines.record();
    if (this.authority !== undefined) record.host = this.authority;
    return record;
  }
}

const SPACE = 32;
const SLASH = 47;
const VERSION_BYTES = 8;

/** Reads the request line from `from` to `lineEnd`, where its CR LF is, and checks `fields` against it. */
export function readRequestHead(
  text: string,
  from: number,
  lineEnd: number,
  fields: RequestFields,
  limits: Limits,
  transport: Transport,
): Http1Head | Rejection {
  if (lineEnd - from > limits.requestLineBytes) return TOO_LONG_LINE;
  let at = from;
  while (isTokenCode[text.charCodeAt(at)] === 1) at += 1;
  if (at === from || text.charCodeAt(at) !== SPACE) return MALFORMED_LINE;
  const method = text.slice(from, at);
  const targetStart = at + 1;
  at = targetStart;
  while (isTargetCode(text.charCodeAt(at))) at += 1;
  if (at === targetStart || text.charCodeAt(at) !== SPACE) return MALFORMED_LINE;
  const version = readVersion(text, at + 1, lineEnd);
  if (version instanceof Rejection) return version;
  const target = readTarget(method, text.slice(targetStart, at));
  if (target instanceof Rejection) return target;
  const rejection = check(version, target, fields);
  return rejection ?? new Http1Head(method, target.path, version, target.authority, fields, transport);
}

/** Visible ASCII; a fragment is not for the wire (RFC 9112 section 3.2). */
function isTargetCode(code: number): boolean {
  return code > SPACE && code < 127 && code !== 35;
}

function readVersion(text: string, from: number, to: number): '1.0' | '1.1' | Rejection {
  if (to - from !== VERSION_BYTES || !text.startsWith('HTTP/', from) || text.charCodeAt(from + 6) !== 46) {
    return MALFORMED_LINE;
  }
  const major = text.charCodeAt(from + 5) - 48;
  const minor = text.charCodeAt(from + 7) - 48;
  if (!(major >= 0 && major <= 9 && minor >= 0 && minor <= 9)) return MALFORMED_LINE;
  if (major !== 1) return new Rejection(505, 'Only HTTP/1.1 and HTTP/1.0 are spoken here');
  return minor === 0 ? '1.0' : '1.1';
}

interface Target {
  readonly path: string;
  readonly authority: string | undefined;
  readonly scheme: string;
}

function readTarget(method: string, target: string): Target | Rejection {
  if (method === 'CONNECT') return new Rejection(405, 'No tunnels here', ALLOWED);
  if (target.charCodeAt(0) === SLASH || (target === '*' && method === 'OPTIONS')) {
    return { path: target, authority: undefined, scheme: '' };
  }
  const absolute = /^(https?):\/\/([^/?]*)(.*)$/i.exec(target);
  if (!absolute) return new Rejection(400, 'The request target must be a path or an absolute http(s) URL');
  const [, scheme = '', authority = '', rest = ''] = absolute;
  if (!isHost(authority)) return new Rejection(400, 'The host of the request target is not valid');
  if (rest === '' && method === 'OPTIONS') return { path: '*', authority, scheme };
  return { path: rest.startsWith('/') ? rest : `/${rest}`, authority, scheme };
}

/** What the fields may not say after this request line. */
function check(version: '1.0' | '1.1', { authority, scheme }: Target, fields: RequestFields): Rejection | undefined {
  const { host } = fields;
  if (version === '1.1' && host === undefined) return new Rejection(400, 'HTTP/1.1 needs a Host field');
  if (version === '1.0' && fields.isChunked) return new Rejection(400, 'Transfer-Encoding needs HTTP/1.1');
  if (authority === undefined || host === undefined || plainHost(authority, scheme) === plainHost(host, scheme))
    return undefined;
  return new Rejection(400, 'The Host field and the target name different hosts');
}
