import type { FailureCause, UpstreamFailure } from './data-plane';

/** What this machine has too little of. Nothing is wrong with the upstream, and a moment later there may be enough. */
const SHORTAGES: ReadonlySet<string> = new Set([
  'EMFILE',
  'ENFILE',
  // No port is left: of the machine, and of the address that connections are to come from.
  'EADDRNOTAVAIL',
  'EADDRINUSE',
  'ENOBUFS',
  'ENOMEM',
  'EAGAIN',
]);
/** The same code of another call: the machine has no such address, and will have none in a moment. */
const NO_SUCH_ADDRESS = /^bind EADDRNOTAVAIL/;

const CONNECT_FAILURES: ReadonlySet<string> = new Set(['ECONNREFUSED', 'ECONNRESET', 'ECONNABORTED', 'EPIPE']);

/** OpenSSL's verdicts on a certificate, and Node's own on the name in it. @see https://nodejs.org/api/tls.html#x509-certificate-error-codes */
const CERTIFICATE =
  /^(ERR_TLS_CERT_ALTNAME|CERT_|UNABLE_TO_|CRL_|SELF_SIGNED_|DEPTH_ZERO_|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH|HOSTNAME_MISMATCH|ERROR_IN_)/;
const NO_COMMON_PROTOCOL = /ALPN|APPLICATION_PROTOCOL/i;
const TLS = /^(ERR_SSL_|ERR_TLS_|ERR_OSSL_|EPROTO)/;
const NAME = /^(ENOTFOUND|ENODATA|EAI_|ESERVFAIL|EREFUSED|ETIMEOUT|EBADNAME)/;

/** A connection that did not come to be: by what kind of fault, and its cause for those who run the proxy. */
export interface ConnectFailure {
  readonly failure: UpstreamFailure;
  readonly cause: FailureCause;
}

/** What an error of the lookup, the TCP connection or the TLS handshake means. */
export function classifyConnectFailure(error: NodeJS.ErrnoException | undefined): ConnectFailure {
  const cause = formatCause(error) ?? { why: 'the connection was closed before it was open' };
  return { failure: findFailure(cause), cause };
}

function findFailure(cause: FailureCause): UpstreamFailure {
  const { code = '', why: message } = cause;
  if (code === 'ETIMEDOUT') return 'connectTimeout';
  if (isShortage(cause)) return 'full';
  if (NAME.test(code)) return 'nameNotFound';
  if (NO_COMMON_PROTOCOL.test(`${code} ${message}`)) return 'malformed';
  if (CERTIFICATE.test(code)) return 'certificateRejected';
  if (TLS.test(code) || /before secure TLS connection/.test(message)) return 'tlsFailed';
  if (code === '' || CONNECT_FAILURES.has(code)) return 'connectRefused';
  return 'connectFailed';
}

/** Whether a connection failed for want of something on this machine, so that it is worth trying again soon. */
export function isShortage({ code, why }: FailureCause): boolean {
  return code !== undefined && SHORTAGES.has(code) && !NO_SUCH_ADDRESS.test(why);
}

/** The code and message of an error; of one that stands for the errors of several addresses the first one's. */
export function formatCause(
  error: (NodeJS.ErrnoException & { errors?: unknown }) | undefined,
): FailureCause | undefined {
  if (error === undefined) return undefined;
  const [first] = Array.isArray(error.errors) ? (error.errors as NodeJS.ErrnoException[]) : [];
  const { code, message } = first ?? error;
  return { ...(code !== undefined && { code }), why: withoutNoise(message) || (code ?? error.name) };
}

/** OpenSSL's messages carry a thread's number and the place in its source. */
function withoutNoise(message: string): string {
  return message
    .replace(/^[0-9A-F]{8,}:error:[0-9A-F]+:/, '')
    .replace(/:\.\.\/deps\/.*$/s, '')
    .trim();
}
