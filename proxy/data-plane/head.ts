import { STATUS_CODES, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import type { Http2ServerRequest } from 'node:http2';
import type { Writable } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import type { Answer, RequestHead } from './data-plane';
import { Fields, Framing, occurrences, tokens } from './fields';

export type ClientRequest = IncomingMessage | Http2ServerRequest;

/** What the answers of both of Node's servers have in common. */
export interface ClientResponse extends Writable {
  readonly headersSent: boolean;
  writeHead(status: number, headers?: OutgoingHttpHeaders): unknown;
  addTrailers(trailers: OutgoingHttpHeaders): void;
  writeContinue(): void;
  writeEarlyHints(hints: Record<string, string | string[]>): void;
}

export function isHttp2(request: ClientRequest): request is Http2ServerRequest {
  return request.httpVersionMajor === 2;
}

/** The head of a request in the one form that everything above the engine sees. */
export function readHead(request: ClientRequest, isUpgrade: boolean): RequestHead {
  const headers: Fields = {};
  for (const [name, value] of Object.entries(request.headers)) if (!name.startsWith(':')) headers[name] = value;
  if (isHttp2(request) && request.authority !== undefined) headers.host = request.authority;
  const target = originForm(request.url ?? '/');
  // RFC 9112 section 3.2.2: an absolute target replaces the Host field.
  if (target.authority !== undefined) headers.host = target.authority;
  const socket = request.socket;
  return {
    method: request.method ?? 'GET',
    url: target.path,
    httpVersion: isHttp2(request) ? '2' : request.httpVersionMinor === 0 ? '1.0' : '1.1',
    headers,
    client: { address: plainAddress(socket.remoteAddress ?? ''), port: socket.remotePort ?? 0 },
    isTls: (socket as TLSSocket).encrypted === true,
    isUpgrade,
  };
}

/** Other upgrades (`h2c`) are not offered here: such a request is served as if it had not asked. */
export function asksForWebSocket(request: IncomingMessage): boolean {
  return (
    tokens(request.headers.upgrade).includes('websocket') && tokens(request.headers.connection).includes('upgrade')
  );
}

export function requestFraming(request: ClientRequest): Framing {
  if (isHttp2(request)) {
    if (request.stream.endAfterHeaders) return 'none';
    return request.headers['content-length'] === undefined ? 'chunked' : 'length';
  }
  if (request.headers['transfer-encoding'] !== undefined) return 'chunked';
  return Number(request.headers['content-length'] ?? 0) > 0 ? 'length' : 'none';
}

/** Why a request is not served at all; the connection is closed with it, because its framing cannot be trusted. */
export function refusal(request: ClientRequest, head: RequestHead): Answer | undefined {
  const raw = request.rawHeaders;
  const coding = request.headers['transfer-encoding'];
  if (occurrences(raw, 'host') > 1) return refuse(400, 'More than one Host field');
  if (coding !== undefined && occurrences(raw, 'content-length') > 0) {
    return refuse(400, 'Both Transfer-Encoding and Content-Length');
  }
  if (coding !== undefined && head.httpVersion === '1.0') return refuse(400, 'Transfer-Encoding needs HTTP/1.1');
  if (contradictsHost(request, head)) return refuse(400, 'The Host field and the target name different hosts');
  if (coding !== undefined && coding.toLowerCase() !== 'chunked') return refuse(501, 'Unknown transfer coding');
  if (!head.url.startsWith('/') && !(head.url === '*' && head.method === 'OPTIONS')) {
    return refuse(400, 'The request target must be a path');
  }
  return undefined;
}

export function refuse(status: number, why: string, headers: Record<string, string> = {}): Answer {
  return { status, headers: { connection: 'close', ...headers }, body: `${why}\n` };
}

/** An answer for a socket that has no parser, or no longer one. */
export function rawAnswer(status: number): string {
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`;
}

function originForm(target: string): { path: string; authority?: string } {
  const absolute = /^https?:\/\/([^/?#]+)([^#]*)/i.exec(target);
  if (!absolute) return { path: target };
  const path = absolute[2] ?? '';
  return { authority: absolute[1], path: path.startsWith('/') ? path : `/${path}` };
}

/** An absolute target, or HTTP/2's authority, that is not the Host: two readers of this request would see two hosts. */
function contradictsHost(request: ClientRequest, head: RequestHead): boolean {
  const { host } = request.headers;
  return host !== undefined && host.toLowerCase() !== String(head.headers.host).toLowerCase();
}

/** An IPv4 client of a dual-stack listener shows as `::ffff:192.0.2.1`. */
function plainAddress(address: string): string {
  return address.startsWith('::ffff:') ? address.slice(7) : address;
}
