import { CapturedRequest } from '../capture/connection-assembly';
import { parseRequestLine, readBody } from '../capture/http-message';

/** A request as it is sent to the target. */
export interface OutgoingRequest {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Uint8Array;
}

/** What is changed in each request. */
export interface Rewrite {
  /** The value of `Host`; undefined for the one that was recorded. */
  readonly host?: string;
  /** The start of a path, and what stands in its place; the first that fits counts. */
  readonly paths: readonly { readonly from: string; readonly to: string }[];
  readonly setHeaders: readonly (readonly [name: string, value: string])[];
  /** In lowercase. */
  readonly removeHeaders: readonly string[];
}

/** Of the connection, not of the request (RFC 9110 section 7.6.1); and `Expect`, whose wait is of no use here. */
const OF_CONNECTION = new Set([
  ...['connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade', 'expect'],
  ...['content-length', 'host', 'http2-settings'],
]);

/** Names a request to its target, so that one that is sent again is known. */
export const REPLAY_ID_HEADER = 'X-Drainshift-Replay-Id';

/**
 * The request, as it is sent. Its body has a length, also where it was chunked.
 *
 * @param path of the URL of the target, without a slash at its end: it stands before each path
 */
export function buildOutgoing({ id, message }: CapturedRequest, rewrite: Rewrite, path: string): OutgoingRequest {
  const { method = 'GET', target = '/' } = parseRequestLine(message.startLine) ?? {};
  const recordedHost = message.headers.find(([name]) => name.toLowerCase() === 'host')?.[1] ?? '';
  const named = (message.headers.find(([name]) => name.toLowerCase() === 'connection')?.[1] ?? '').toLowerCase();
  const ofConnection = new Set(named.split(',').map((each) => each.trim()));
  const replaced = new Set([...rewrite.removeHeaders, ...rewrite.setHeaders.map(([name]) => name.toLowerCase())]);
  const kept = message.headers.filter(([name]) => {
    const key = name.toLowerCase();
    return !OF_CONNECTION.has(key) && !ofConnection.has(key) && !replaced.has(key) && key !== ID_KEY;
  });
  const body = readBody(message);
  const hasLength = body.length > 0 || message.framing.kind !== 'none';
  const host = rewrite.setHeaders.some(([name]) => name.toLowerCase() === 'host') ? [] : [rewrite.host ?? recordedHost];
  const headers = [
    ...host.map((value) => ['Host', value] as const),
    ...kept,
    ...rewrite.setHeaders,
    [REPLAY_ID_HEADER, id] as const,
    ...(hasLength ? [['Content-Length', String(body.length)] as const] : []),
  ];
  return { method, path: `${path}${rewritePath(originForm(target), rewrite.paths)}`, headers, body };
}

const ID_KEY = REPLAY_ID_HEADER.toLowerCase();

/** RFC 9112 section 3.2. */
function originForm(target: string): string {
  const path = target.replace(/^https?:\/\/[^/?#]*/i, '');
  return path.startsWith('/') || path === '*' ? path : `/${path}`;
}

function rewritePath(path: string, rules: Rewrite['paths']): string {
  const rule = rules.find(({ from }) => path.startsWith(from));
  return rule ? `${rule.to}${path.slice(rule.from.length)}` : path;
}

/** Why a request cannot be sent again, although it is whole: it opens a tunnel. */
export function opensTunnel({ message }: CapturedRequest): boolean {
  const isUpgrade = message.headers.some(([name, value]) => name.toLowerCase() === 'upgrade' && !/^h2c$/i.test(value));
  return isUpgrade || parseRequestLine(message.startLine)?.method === 'CONNECT';
}
