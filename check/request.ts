import http, { IncomingHttpHeaders } from 'node:http';
import https from 'node:https';
import { CheckTarget, byTheWall, showError, withCookies } from './target';

export type HttpResponse =
  | { readonly status: number; readonly headers: IncomingHttpHeaders; readonly body: string; readonly ms: number }
  | { readonly problem: string };

const MAX_BODY_BYTES = 64 * 1024 * 1024;

/** One GET, on a connection of its own: what stays on one connection shows nothing of stickiness. Redirects are not followed. */
export function get(target: CheckTarget, cookie: string | undefined, signal: AbortSignal): Promise<HttpResponse> {
  const { url, headers, insecure, timeoutMs, startLimit = byTheWall } = target;
  const startedMs = performance.now();
  const client = url.protocol === 'https:' ? https : http;
  return new Promise((resolve) => {
    const options = { agent: false, headers: withCookies(headers, cookie), rejectUnauthorized: !insecure };
    const request = client.get(url, options, (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size <= MAX_BODY_BYTES) chunks.push(chunk);
        else end({ problem: `a response of more than ${MAX_BODY_BYTES} bytes` });
      });
      response.on('error', (error) => end({ problem: showError(error) }));
      response.on('end', () => {
        const { statusCode: status = 0, headers: fields } = response;
        end({ status, headers: fields, body: Buffer.concat(chunks).toString(), ms: performance.now() - startedMs });
      });
    });
    const limit = startLimit(timeoutMs, () => end({ problem: `no whole response in ${timeoutMs} ms` }));
    const stop = () => end({ problem: 'stopped' });
    const end = (result: HttpResponse) => {
      limit.clear();
      signal.removeEventListener('abort', stop);
      resolve(result);
      request.destroy();
    };
    signal.addEventListener('abort', stop, { once: true });
    request.on('error', (error) => end({ problem: showError(error) }));
    if (signal.aborted) stop();
  });
}
