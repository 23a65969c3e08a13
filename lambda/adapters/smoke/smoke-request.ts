import { IncomingMessage, request as requestPlain } from 'node:http';
import { request } from 'node:https';
import { PeerCertificate, TLSSocket, checkServerIdentity } from 'node:tls';
import { SMOKE_AGENT } from '../../../core/plan/smoke';

/** A rollback asks both sides first, and takes seconds. */
export const SMOKE_TIMEOUT_MS = 5_000;

export interface SmokeRequest {
  readonly host: string;
  readonly port: number;
  readonly path: string;
  /** SNI, Host, and the name that the certificate must be good for. */
  readonly name: string;
  /**
   * What the certificate must be: signed by an authority; `selfSigned`: of that name and in its time; `any`: whatever it is;
   * `plain`: there is none, and no TLS.
   */
  readonly trust: 'signed' | 'selfSigned' | 'any' | 'plain';
  /** PEM: who vouches for the certificate instead of the public authorities. */
  readonly authorities?: string;
  /** Beside Host and User-Agent: what the load balancer adds, where it is not asked itself. */
  readonly fields?: Readonly<Record<string, string>>;
}

/** The status of the response, or why there was none. */
export type SmokeResponse = number | string;

/** Asks in HTTP/1.1. */
export function get(to: SmokeRequest): Promise<SmokeResponse> {
  return new Promise((resolve) => {
    const options = {
      host: to.host,
      port: to.port,
      path: to.path,
      headers: { host: to.name, 'user-agent': SMOKE_AGENT, ...to.fields },
      agent: false,
      signal: AbortSignal.timeout(SMOKE_TIMEOUT_MS),
    };
    const read = (response: IncomingMessage) => {
      response.resume();
      response.on('error', (error) => resolve(error.message));
      response.on('end', () => resolve(response.statusCode ?? 0));
    };
    const outgoing = to.trust === 'plain' ? requestPlain(options, read) : request({ ...options, ...findTls(to) }, read);
    outgoing.on('error', (error) => resolve(whyNot(error)));
    if (to.trust === 'selfSigned') {
      outgoing.on('socket', (socket: TLSSocket) => {
        socket.once('secureConnect', () => {
          const wrong = findFault(to.name, socket.getPeerCertificate());
          if (wrong !== undefined) outgoing.destroy(wrong);
        });
      });
    }
    outgoing.end();
  });
}

/** How its connection is secured. */
export function findTls({ name, trust, authorities }: SmokeRequest): {
  readonly servername: string;
  readonly rejectUnauthorized: boolean;
  readonly ca: string | undefined;
} {
  return { servername: name, rejectUnauthorized: trust === 'signed', ca: authorities };
}

/** Why there is no response. */
export function whyNot({ name, message }: Error): string {
  const isLate = name === 'AbortError' || name === 'TimeoutError';
  return isLate ? `no response within ${SMOKE_TIMEOUT_MS / 1000} s` : message;
}

/** What a certificate that no authority vouches for must still be: of that name, and in its time. */
export function findFault(name: string, certificate: PeerCertificate): Error | undefined {
  const nowMs = Date.now();
  if (nowMs < Date.parse(certificate.valid_from) || nowMs > Date.parse(certificate.valid_to)) {
    return new Error(`the certificate must be valid now, got ${certificate.valid_from} to ${certificate.valid_to}`);
  }
  return checkServerIdentity(name, certificate);
}
