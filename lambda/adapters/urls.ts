import http, { IncomingMessage } from 'node:http';
import https from 'node:https';
import { MAX_CALL_BODY } from '../../core/proxy/backend-call';
import type { UrlOrder, UrlResponse, UrlsPort } from '../contract/ports';

/** The URLs of hooks. A certificate must be signed by a public authority. */
export function urlsPort(): UrlsPort {
  return { send };
}

function send(url: string, { method, body, key, timeoutMs }: UrlOrder): Promise<UrlResponse> {
  const { request } = url.startsWith('https:') ? https : http;
  const headers = {
    'user-agent': 'drainshift-hook',
    accept: 'application/json',
    ...(body !== undefined && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
    // A string of RFC 9651, as draft-ietf-httpapi-idempotency-key-header asks for.
    ...(key !== undefined && { 'idempotency-key': `"${encodeURI(key)}"` }),
  };
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { method, headers, agent: false }, (response) => {
      readBody(response).then((text) => {
        const retryAfter = response.headers['retry-after'];
        resolve({ status: response.statusCode ?? 0, body: text, ...(retryAfter !== undefined && { retryAfter }) });
        outgoing.destroy();
      }, reject);
    });
    // A limit of the whole: a response that trickles is none.
    const late = () => outgoing.destroy(new Error(`no response within ${timeoutMs / 1000} s`));
    const timer = setTimeout(late, timeoutMs);
    outgoing.once('error', reject).once('close', () => {
      clearTimeout(timer);
      reject(new Error('the connection was closed before the response'));
    });
    outgoing.end(body);
  });
}

/** As much as a hook may say: a longer body is no response of one, and is not waited for. */
async function readBody(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > MAX_CALL_BODY) break;
  }
  return Buffer.concat(chunks).subarray(0, MAX_CALL_BODY).toString('utf8');
}
