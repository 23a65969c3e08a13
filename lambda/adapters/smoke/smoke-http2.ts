import { IncomingHttpHeaders, OutgoingHttpHeaders, connect } from 'node:http2';
import { Socket, connect as connectPlain } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { SMOKE_AGENT } from '../../../core/plan/smoke';
import { SMOKE_TIMEOUT_MS, SmokeResponse, SmokeRequest, findFault, findTls, whyNot } from './smoke-request';

/** A message of no bytes after its five of prefix: every field has its default. */
const EMPTY_MESSAGE = Buffer.alloc(5);
const PREFIX_BYTES = 5;

/** @see https://github.com/grpc/grpc/blob/master/doc/health-checking.md */
const HEALTH_CALL = '/grpc.health.v1.Health/Check';
/** `HealthCheckResponse` with `status` SERVING. */
const SERVING = Buffer.from([0x08, 0x01]);

const NO_HTTP2 = "the load balancer must speak HTTP/2 ('routing.http2.enabled'), got HTTP/1.1 alone";
const NO_HTTP2_OF_TARGET = 'the target must speak HTTP/2, got HTTP/1.1 alone';

interface Call {
  readonly fields: OutgoingHttpHeaders;
  readonly body?: Buffer;
}

interface Reply {
  readonly status: number;
  /** Trailers among them. */
  readonly fields: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** Asks in HTTP/2: the status of the response, or why there was none. */
export async function getByHttp2(to: SmokeRequest): Promise<SmokeResponse> {
  const reply = await ask(to, { fields: { ':method': 'GET' } });
  return typeof reply === 'string' ? reply : reply.status;
}

/**
 * Calls the method of this path with an empty message. 200 is for a call that ends well, and for one of the health service
 * only where the service is SERVING; a call that fails has the status 200 in HTTP, too.
 */
export async function callByGrpc(to: SmokeRequest): Promise<SmokeResponse> {
  const fields = { ':method': 'POST', 'content-type': 'application/grpc', te: 'trailers' };
  const reply = await ask(to, { fields, body: EMPTY_MESSAGE });
  if (typeof reply === 'string') return reply;
  if (reply.status !== 200) return reply.status;
  const { 'grpc-status': status = 'missing' } = reply.fields;
  if (status !== '0') return `grpc-status ${String(status)}`;
  const isServing = to.path !== HEALTH_CALL || reply.body.subarray(PREFIX_BYTES).equals(SERVING);
  return isServing ? 200 : 'a service that is not SERVING';
}

async function ask(to: SmokeRequest, call: Call): Promise<Reply | string> {
  const signal = AbortSignal.timeout(SMOKE_TIMEOUT_MS);
  try {
    return await exchange(await connected(to, signal), to, call, signal);
  } catch (error) {
    return whyNot(signal.aborted ? (signal.reason as Error) : (error as Error));
  }
}

/** Under a certificate that is as it must be, and agreed to be one of HTTP/2; without TLS that is known before (RFC 9113 section 3.3). */
function connected(to: SmokeRequest, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const { host, port, name, trust } = to;
    const fail = (error: Error) => {
      socket.destroy();
      reject(error);
    };
    const secured = () => {
      const tls = connectTls({ host, port, ...findTls(to), ALPNProtocols: ['h2'] });
      tls.once('secureConnect', () => {
        const wrong = trust === 'selfSigned' ? findFault(name, tls.getPeerCertificate()) : undefined;
        if (wrong) fail(wrong);
        else if (tls.alpnProtocol === 'h2') resolve(tls);
        else fail(new Error(noHttp2(to)));
      });
      return tls;
    };
    const socket = trust === 'plain' ? connectPlain(port, host, () => resolve(socket)) : secured();
    signal.addEventListener('abort', () => fail(signal.reason as Error), { once: true });
    // TLS ends with an alert where the two have no protocol in common (RFC 7301 section 3.2).
    socket.on('error', (error: NodeJS.ErrnoException) =>
      fail(error.code?.endsWith('NO_APPLICATION_PROTOCOL') === true ? new Error(noHttp2(to)) : error),
    );
  });
}

function noHttp2({ trust }: SmokeRequest): string {
  return trust === 'any' ? NO_HTTP2_OF_TARGET : NO_HTTP2;
}

function exchange(socket: Socket, to: SmokeRequest, call: Call, signal: AbortSignal): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const scheme = to.trust === 'plain' ? 'http' : 'https';
    const session = connect(`${scheme}://${to.name}`, { createConnection: () => socket });
    session.on('error', reject);
    const fields: OutgoingHttpHeaders = {
      ':path': to.path,
      ':authority': to.name,
      'user-agent': SMOKE_AGENT,
      ...to.fields,
      ...call.fields,
    };
    const stream = session.request(fields, { endStream: call.body === undefined, signal });
    let received: IncomingHttpHeaders = {};
    let hasEnded = false;
    const chunks: Buffer[] = [];
    stream.on('response', (head) => (received = head));
    stream.on('trailers', (trailers: IncomingHttpHeaders) => (received = { ...received, ...trailers }));
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => (hasEnded = true));
    stream.on('error', reject);
    stream.on('close', () => {
      session.destroy();
      const status = Number(received[':status'] ?? 0);
      if (status === 0 || !hasEnded || stream.rstCode !== 0) {
        return reject(new Error(`the stream was closed with code ${stream.rstCode}`));
      }
      return resolve({ status, fields: received, body: Buffer.concat(chunks) });
    });
    if (call.body) stream.end(call.body);
  });
}
