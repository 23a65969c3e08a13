import http, { ClientRequest, IncomingMessage } from 'node:http';
import https from 'node:https';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { MAX_CALL_BODY } from '../../core/proxy/backend-call';
import type { Side } from '../../core/traffic/weights';
import type { Upstream } from '../data-plane/contract/data-plane';
import { EPOCH_FIELD } from '../forwarding/forwarding';

/** The upstreams of a proxy: its own side's, and the other side's where one is configured. */
export type Upstreams = Readonly<Partial<Record<Side, Upstream>>>;

/** One request of ours, and no client's: on a connection of its own. */
export interface OwnRequest {
  readonly method: string;
  readonly path: string;
  /** Fields by their lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly timeoutMs: number;
}

export interface OwnResponse {
  readonly status: number;
  readonly retryAfter?: string;
  readonly body: string;
}

/** Of a body either way: a backend that stands still for so long is one that has gone. */
const STALL_MS = 30_000;

/** @throws Error where it cannot be called */
export function findBackend(upstreams: Upstreams, side: Side): Upstream {
  const upstream = upstreams[side];
  if (!upstream) throw new Error("'other_upstream' must be configured, got nothing");
  if (upstream.isHttp2) throw new Error('a backend with a hook must speak HTTP/1.1, got HTTP/2 alone');
  return upstream;
}

/**
 * The fields that tell an application a request of ours from those of clients, beside that `X-Forwarded-For`, which the proxy sets
 * for each of these, is not there.
 */
export function ownFields({ host, epoch }: { readonly host?: string; readonly epoch: number }): Record<string, string> {
  return { 'user-agent': 'drainshift-hook', [EPOCH_FIELD]: String(epoch), ...(host !== undefined && { host }) };
}

/** @throws Error of the connection, or when the whole has not ended in time */
export function requestUpstream(upstream: Upstream, own: OwnRequest): Promise<OwnResponse> {
  const { body, timeoutMs } = own;
  return new Promise((resolve, reject) => {
    const request = openRequest(upstream, own, (response) => void readResponse(response).then(resolve, reject));
    // A limit of the whole: a response that trickles is none.
    const late = () => request.destroy(new Error(`it must respond within ${timeoutMs / 1000} s, got no response`));
    const timer = setTimeout(late, timeoutMs);
    request.once('error', reject).once('close', () => clearTimeout(timer));
    request.end(body);
  });
}

/** For a body that streams, either way. */
interface StreamedRequest extends Omit<OwnRequest, 'body' | 'timeoutMs'> {
  readonly body?: Readable;
  readonly signal: AbortSignal;
}

/**
 * Sends a body as fast as the backend takes it.
 *
 * @returns the response, whose body is the caller's to read. A backend may respond before it has read all: then no more is sent
 * @throws Error of either stream, or the reason of the signal
 */
export async function streamUpstream(
  upstream: Upstream,
  { body, signal, ...own }: StreamedRequest,
): Promise<IncomingMessage> {
  let heard: (response: IncomingMessage) => void = () => undefined;
  const responded = new Promise<IncomingMessage>((resolve) => (heard = resolve));
  const request = openRequest(upstream, own, heard, signal);
  request.setTimeout(STALL_MS, () => request.destroy(new Error(`it must go on, got nothing for ${STALL_MS / 1000} s`)));
  const failed = new Promise<never>((_, reject) => request.once('error', reject));
  if (!body) {
    request.end();
    return Promise.race([responded, failed]);
  }
  const sent = pipeline(body, request, { signal });
  sent.catch(() => undefined);
  return Promise.race([responded, failed, sent.then(() => responded)]);
}

/** The beginning of a body, and its end. */
export async function readResponse(response: IncomingMessage): Promise<OwnResponse> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    if (length < MAX_CALL_BODY) chunks.push(chunk);
    length += chunk.length;
  }
  const text = Buffer.concat(chunks).subarray(0, MAX_CALL_BODY).toString('utf8');
  const retryAfter = response.headers['retry-after'];
  return { status: response.statusCode ?? 0, body: text, ...(retryAfter !== undefined && { retryAfter }) };
}

function openRequest(
  { protocol, host, port, serverName, verifyCertificate, authorities, localAddress }: Upstream,
  { method, path, headers }: Pick<OwnRequest, 'method' | 'path' | 'headers'>,
  heard: (response: IncomingMessage) => void,
  signal?: AbortSignal,
): ClientRequest {
  const options = { host, port, path, localAddress, agent: false, method, headers, ...(signal && { signal }) } as const;
  if (protocol !== 'https') return http.request(options, heard);
  const trust = { servername: serverName, rejectUnauthorized: verifyCertificate !== false, ca: authorities };
  return https.request({ ...options, ...trust }, heard);
}
