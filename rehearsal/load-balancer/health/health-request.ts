import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import type { HealthCheck, ProtocolVersion } from '../model/model';

interface HealthRequest extends Pick<HealthCheck, 'protocol' | 'path'> {
  readonly host: string;
  readonly port: number;
  /** Ends it. */
  readonly signal: AbortSignal;
}

const USER_AGENT = 'ELB-HealthChecker/2.0';

/**
 * Asks a target how it is, in what its group speaks; over TLS whatever its certificate, which the service does not verify.
 *
 * @returns the status of its response
 * @throws Error when there is none
 */
export function askHealth(version: ProtocolVersion, request: HealthRequest): Promise<number> {
  return version === 'HTTP2' ? overHttp2(request) : overHttp1(request);
}

function overHttp1({ protocol, host, port, path, signal }: HealthRequest): Promise<number> {
  return new Promise((resolve, reject) => {
    const options = {
      host,
      port,
      path,
      signal,
      agent: false,
      rejectUnauthorized: false,
      headers: { host: `${host}:${port}`, 'user-agent': USER_AGENT },
    };
    const responded = (response: http.IncomingMessage) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    };
    const request = protocol === 'HTTPS' ? https.get(options, responded) : http.get(options, responded);
    request.on('error', reject);
  });
}

function overHttp2({ protocol, host, port, path, signal }: HealthRequest): Promise<number> {
  return new Promise((resolve, reject) => {
    const session = http2.connect(`${protocol.toLowerCase()}://${host}:${port}`, { rejectUnauthorized: false });
    session.on('error', reject);
    const stream = session.request({ ':path': path, 'user-agent': USER_AGENT }, { signal });
    stream.on('response', (head) => resolve(head[':status'] ?? 0));
    stream.on('error', reject);
    stream.on('close', () => {
      session.destroy();
      // One that was closed without an error; after a response this says nothing any more.
      reject(new Error(`stream closed with code ${stream.rstCode}`));
    });
    stream.resume();
  });
}
