/** Where a backend is: a name, or an address without the brackets of IPv6. */
export interface UpstreamAddress {
  readonly protocol: 'http' | 'https';
  readonly host: string;
  readonly port: number;
}

export const UPSTREAM_URL_RULE = 'http(s)://host[:port] without a path';
/** As much of the rule as a pattern can say; in what ECMA-262 and other readers of JSON Schema share. */
export const UPSTREAM_URL_PATTERN = '^[Hh][Tt][Tt][Pp][Ss]?://[^\\s/?#@\\\\]+/?$';

const URL_FORM = new RegExp(UPSTREAM_URL_PATTERN);

/** RFC 1123 section 2.1, and the underscores that private names have. */
const HOST_NAME = /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*\.?$/i;

export function isHostName(text: string): boolean {
  return HOST_NAME.test(text);
}

/**
 * The one rule for upstreams, of the constructs at synth as of the proxy at its start: `http(s)://host[:port]`, in any case,
 * with at the most one slash behind. Undefined of anything else.
 */
export function parseUpstreamUrl(text: unknown): UpstreamAddress | undefined {
  // Asked of the text itself: a URL forgets an empty query, a tab and a backslash.
  if (typeof text !== 'string' || !URL_FORM.test(text) || !URL.canParse(text)) return undefined;
  const { protocol, hostname, port } = new URL(text);
  const isIpv6 = hostname.startsWith('[');
  if (port === '0' || !(isIpv6 || isHostName(hostname))) return undefined;
  const isTls = protocol === 'https:';
  return {
    protocol: isTls ? 'https' : 'http',
    host: isIpv6 ? hostname.slice(1, -1) : hostname,
    port: port === '' ? (isTls ? 443 : 80) : Number(port),
  };
}
