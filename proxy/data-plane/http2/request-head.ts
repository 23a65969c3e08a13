import type { IncomingHttpHeaders } from 'node:http2';
import type { Duplex } from 'node:stream';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Response, Limits } from '../contract/data-plane';
import type { BodyLength, EngineHead, FieldBlock, ReplacedFields } from '../contract/streams';
import { RESUME_FIELDS } from '../fields/field-lines';
import { listLines } from '../fields/lines';
import { isHost } from '../fields/request-fields';
import { type Peer, describePeer } from '../contract/transport';
import { emptyFields, hasControlBytes, isEndToEnd, statedLength } from './fields';
import { isGrpcContent } from '../streams/grpc';

/** The connection that a request came over. */
export interface ClientConnection {
  readonly client: { readonly address: string; readonly port: number };
  readonly isTls: boolean;
}

/** Visible ASCII but `#`: a fragment is never sent (RFC 9112 section 3.2), and other bytes have no one reading. */
const TARGET = /^[!"$-~]+$/;
const OF_PROXIES: ReadonlySet<string> = new Set(RESUME_FIELDS);
/** Around a field in HTTP/1.1: colon, space, CR LF. */
const LINE_BYTES = 4;

/** A request's head as it came in HTTP/2, its pseudo fields turned into what HTTP/1.1 says in their place. */
export class Http2Head implements EngineHead {
  readonly httpVersion = '2';
  /** Only HTTP/1.1 switches protocols; RFC 8441 is not offered. */
  readonly isUpgrade = false;
  readonly method: string;
  readonly url: string;
  readonly client: { readonly address: string; readonly port: number };
  readonly isTls: boolean;
  readonly bodyLength: BodyLength;
  readonly takesTrailers: boolean;
  readonly isGrpc: boolean;
  readonly expectsContinue: boolean;
  private all: Record<string, string | string[] | undefined> | undefined;

  /** `received` and `raw` as the event `stream` of node:http2 brings them. */
  constructor(
    private readonly received: IncomingHttpHeaders,
    private readonly raw: readonly string[],
    connection: ClientConnection,
    hasBody: boolean,
  ) {
    this.method = received[':method'] ?? '';
    this.url = received[':path'] ?? '';
    this.client = connection.client;
    this.isTls = connection.isTls;
    const length = statedLength(received['content-length']);
    // A length of 0 does not end a stream: its end is still to come, maybe with trailers.
    this.bodyLength = hasBody ? (typeof length === 'number' && length > 0 ? length : -1) : 0;
    this.takesTrailers = received.te === 'trailers';
    this.isGrpc = isGrpcContent(received['content-type']);
    this.expectsContinue = hasBody && received.expect?.toLowerCase() === '100-continue';
  }

  /** Where RFC 9113 section 8.3.1 has it: `:authority`, or the Host of a client that translated from HTTP/1.1. */
  get host(): string | undefined {
    return this.received[':authority'] ?? this.received.host;
  }

  field(name: string): string | undefined {
    if (name === 'host') return this.host;
    // Not of the engine's users: `:path` is `url`.
    if (name.startsWith(':')) return undefined;
    const value = this.received[name];
    return Array.isArray(value) ? value.join(', ') : value;
  }

  get headers(): Readonly<Record<string, string | string[] | undefined>> {
    if (this.all) return this.all;
    // A field may be called `__proto__`.
    this.all = emptyFields();
    for (const [name, value] of Object.entries(this.received)) if (!name.startsWith(':')) this.all[name] = value;
    this.all.host = this.host;
    return this.all;
  }

  block(replaced: ReplacedFields | undefined): FieldBlock {
    const isKept = (name: string) =>
      isEndToEnd(name) && !OF_PROXIES.has(name) && (replaced === undefined || !Object.hasOwn(replaced, name));
    let block = isKept('host') ? `host: ${this.host}\r\n` : '';
    // RFC 9113 section 8.2.3: what a client cut into crumbs, so that it compresses better, is one line in HTTP/1.1.
    let cookie = '';
    for (let index = 0; index + 1 < this.raw.length; index += 2) {
      const name = this.raw[index]!;
      if (name === 'host' || !isKept(name)) continue;
      if (name === 'cookie') cookie += `${cookie === '' ? '' : '; '}${this.raw[index + 1]}`;
      else block += `${name}: ${this.raw[index + 1]}\r\n`;
    }
    if (cookie !== '') block += `cookie: ${cookie}\r\n`;
    for (const name in replaced) block += listLines(name, replaced[name]);
    return block;
  }

  /**
   * Why this request is not served, if so. What breaks HTTP/2's own rules never comes here: node:http2 resets streams
   * with bad pseudo fields or fields of one connection, and the frame guard those with bytes that no field may have.
   */
  rejection(limits: Limits): Response | undefined {
    if (this.method === 'CONNECT') return reject(405, 'CONNECT is not served');
    if (this.method.length + this.url.length > limits.requestLineBytes) return reject(414, 'The target is too long');
    if (this.isOver(limits)) return reject(431, 'Too many fields, or too long ones');
    return this.wrongTarget() ?? this.wrongFields();
  }

  private wrongTarget(): Response | undefined {
    const isPath = this.url.startsWith('/') || (this.url === '*' && this.method === 'OPTIONS');
    if (!isPath || !TARGET.test(this.url)) return reject(400, 'The request target must be a path');
    const host = this.host;
    if (host === undefined || !isHost(host)) return reject(400, 'The request must name one host');
    const named = this.received.host;
    if (named !== undefined && named.toLowerCase() !== host.toLowerCase()) {
      return reject(400, 'The Host field and the authority name different hosts');
    }
    return undefined;
  }

  private wrongFields(): Response | undefined {
    const { expect } = this.received;
    if (expect !== undefined && expect.toLowerCase() !== '100-continue') {
      return reject(417, 'The only expectation that is met is 100-continue');
    }
    if (statedLength(this.received['content-length']) === 'malformed') {
      return reject(400, 'Content-Length must be one number');
    }
    return this.raw.some(hasControlBytes) ? reject(400, 'Control bytes in a field') : undefined;
  }

  private isOver({ fieldBytes, fieldLines }: Limits): boolean {
    let bytes = 0;
    let lines = 0;
    for (let index = 0; index + 1 < this.raw.length; index += 2) {
      if (this.raw[index]!.startsWith(':')) continue;
      lines += 1;
      bytes += this.raw[index]!.length + this.raw[index + 1]!.length + LINE_BYTES;
    }
    return lines > fieldLines || bytes > fieldBytes;
  }
}

/** What a head tells of its connection. */
export function describeConnection(socket: Duplex, client: Peer = describePeer(socket as Socket)): ClientConnection {
  const { encrypted } = socket as TLSSocket;
  return {
    client,
    isTls: (encrypted as boolean | undefined) === true,
  };
}

function reject(status: number, why: string): Response {
  return { status, body: `${why}\n` };
}
