import http, { IncomingMessage } from 'node:http';
import https from 'node:https';
import { BackendCallOrder, BackendCallReport, MAX_CALL_BODY } from '../../core/proxy/backend-call';
import type { Upstream } from '../data-plane/contract/data-plane';
import { EPOCH_FIELD } from '../forwarding/forwarding';
import type { Upstreams } from './retarget';

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

/**
 * Makes one request of a hook. It has no `X-Forwarded-For`, by which an application tells it from those of clients: the proxy
 * sets that field for each of these.
 */
export async function callBackend(order: BackendCallOrder, upstreams: Upstreams): Promise<BackendCallReport> {
  const { to, method, path, host, epoch, body, timeoutMs } = order;
  const headers = {
    'user-agent': 'drainshift-hook',
    [EPOCH_FIELD]: String(epoch),
    'content-length': String(Buffer.byteLength(body ?? '')),
    ...(body !== undefined && { 'content-type': 'application/json' }),
    ...(host !== undefined && { host }),
  };
  try {
    const upstream = upstreams[to];
    if (!upstream) throw new Error("'other_upstream' must be configured, got nothing");
    if (upstream.isHttp2) throw new Error('a backend with a hook must speak HTTP/1.1, got HTTP/2 alone');
    return await requestUpstream(upstream, { method, path, headers, timeoutMs, ...(body !== undefined && { body }) });
  } catch (error) {
    return { upstreamProblem: error instanceof Error ? error.message || error.name : String(error) };
  }
}

/** @throws Error of the connection, or when the whole has not ended in time */
export function requestUpstream(upstream: Upstream, own: OwnRequest): Promise<OwnResponse> {
  const { protocol, host, port, serverName, verifyCertificate, authorities, localAddress } = upstream;
  const { method, path, headers, body, timeoutMs } = own;
  const options = { host, port, path, localAddress, agent: false, method, headers };
  const trust = { servername: serverName, rejectUnauthorized: verifyCertificate !== false, ca: authorities };
  return new Promise((resolve, reject) => {
    const heard = (response: IncomingMessage) => {
      const chunks: Buffer[] = [];
      let length = 0;
      response.on('data', (chunk: Buffer) => {
        if (length < MAX_CALL_BODY) chunks.push(chunk);
        length += chunk.length;
      });
      response.once('error', reject).once('end', () => {
        const text = Buffer.concat(chunks).subarray(0, MAX_CALL_BODY).toString('utf8');
        const retryAfter = response.headers['retry-after'];
        resolve({ status: response.statusCode ?? 0, body: text, ...(retryAfter !== undefined && { retryAfter }) });
      });
    };
    const request =
      protocol === 'https' ? https.request({ ...options, ...trust }, heard) : http.request(options, heard);
    // A limit of the whole: a response that trickles is none.
    const late = () => request.destroy(new Error(`it must respond within ${timeoutMs / 1000} s, got no response`));
    const timer = setTimeout(late, timeoutMs);
    request.once('error', reject).once('close', () => clearTimeout(timer));
    request.end(body);
  });
}
