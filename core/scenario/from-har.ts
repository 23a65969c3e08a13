import { findOrigin } from './har-values';
import { literal } from './variables';
import { Recorded, RecordedMessage, readHar } from './har';

type Raw = Record<string, unknown>;

export interface ConvertedHar {
  /** A scenario as a file has it, not yet checked. */
  readonly value: Raw;
  /** What was taken and what was left out, in words, without a value of the recording. */
  readonly notes: readonly string[];
}

/** What a client sets by itself, what is of the one visit that was recorded, and what a server does not go by. */
const LEFT_OUT_HEADERS =
  /^(:.*|connection|keep-alive|transfer-encoding|upgrade|host|content-length|expect|trailer|te|proxy-.*|http2-settings|cookie|accept-encoding|if-.*|referer|sec-.*|cache-control|pragma|dnt|priority|upgrade-insecure-requests|last-event-id|x-client-data)$/i;
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];
const MAX_STEPS = 1_000;
const MAX_MESSAGES = 50;
/** A message that comes so long after another one is not its response. */
const RESPONSE_MS = 5_000;
/** All together they send about so many requests a second; a few clients get to the end of a long recording. */
const REQUESTS_PER_SECOND = 100;
const MAX_LONG_LIVED = 5;

/**
 * A scenario of what a browser recorded: its requests in their order, with the statuses that they got.
 *
 * @param host of which requests are taken. @default - that of the first page
 * @returns undefined of what is no HAR, or has no request of the host
 */
export function convertHar(har: unknown, host?: string): ConvertedHar | undefined {
  const all = readHar(har);
  const chosen = host ?? (all && findHost(all));
  if (!all || chosen === undefined) return undefined;
  const recorded = all.filter(({ url }) => url.host === chosen || url.hostname === chosen);
  const usable = recorded.filter((each) => whyNot(each) === undefined).slice(0, MAX_STEPS);
  const requests = usable.filter((each) => findKind(each) === 'request');
  if (requests.length === 0) return undefined;
  const longLived = (kind: Kind) => usable.filter((each) => findKind(each) === kind).map(BUILD[kind]);
  const cookies = findCookies(usable);
  const value = {
    requestsPerSecond: REQUESTS_PER_SECOND,
    clients: Math.min(50, Math.max(4, Math.round(1000 / requests.length))),
    ...(Object.keys(cookies).length > 0 && { cookies }),
    journeys: [{ name: 'recording', steps: buildSteps(requests) }],
    webSockets: longLived('webSocket'),
    eventStreams: longLived('eventStream'),
    streams: longLived('stream'),
  };
  return { value, notes: describe(all, recorded, usable, { host: chosen, cookies: Object.keys(cookies) }) };
}

/** A redirect to the host that the page is on has a page, too. */
function findHost(recorded: readonly Recorded[]): string | undefined {
  const pages = recorded.filter(({ mimeType, status }) => mimeType === 'text/html' && status > 0);
  const page = pages.find(({ status }) => status >= 200 && status <= 299) ?? pages[0];
  return (page ?? recorded[0])?.url.host;
}

/** Why an entry is no request of a scenario, which must be right in each run; undefined where it is one. */
function whyNot(recorded: Recorded): string | undefined {
  const { status, isBinary, method, url, redirect } = recorded;
  if (status === 0) return 'without a response';
  if (!METHODS.includes(method)) return `of the method ${method}`;
  if (isBinary) return 'whose body is not in the recording as a text';
  // All clients come by https, and the load balancer redirects the others.
  if (/^(http|ws):$/.test(url.protocol) && redirect?.protocol === 'https:' && redirect.hostname === url.hostname) {
    return 'that redirect to https';
  }
  if (isWebSocket(recorded) && status !== 101) return 'that are a WebSocket which was rejected';
  if (status === 412) return 'whose condition did not hold (412)';
  if (status === 429 || status >= 500) return 'with a status of trouble (429, 500 and above)';
  return status < 200 && status !== 101 ? `with the status ${status}` : undefined;
}

type Kind = 'request' | 'webSocket' | 'eventStream' | 'stream';

function findKind(recorded: Recorded): Kind {
  const { status, mimeType, method } = recorded;
  if (isWebSocket(recorded)) return 'webSocket';
  if (status !== 200) return 'request';
  if (mimeType === 'text/event-stream') return method === 'GET' ? 'eventStream' : 'stream';
  return mimeType === 'application/x-ndjson' ? 'stream' : 'request';
}

function isWebSocket({ status, url }: Recorded): boolean {
  return status === 101 || url.protocol.startsWith('ws');
}

const BUILD: Readonly<Record<Kind, (recorded: Recorded) => Raw>> = {
  request: buildRequest,
  webSocket: (recorded) => ({
    ...buildHead(recorded),
    clients: MAX_LONG_LIVED,
    ...(recorded.subprotocol !== undefined && { subprotocol: recorded.subprotocol }),
    opening: buildScript(recorded.messages),
  }),
  eventStream: (recorded) => ({ ...buildHead(recorded), clients: MAX_LONG_LIVED, maxSilenceSeconds: 60 }),
  stream: (recorded) => ({ ...buildRequest(recorded), clients: MAX_LONG_LIVED, expect: { status: recorded.status } }),
};

function buildHead({ url, headers, method, status }: Recorded): Raw {
  const path = `${url.pathname}${url.search}`;
  // Without it there is no part, and no part that is not there.
  const isOfPart = status === 206 || status === 416;
  const kept = headers.filter(([name]) => !LEFT_OUT_HEADERS.test(name) && (isOfPart || name.toLowerCase() !== 'range'));
  const isOwnOrigin = (name: string, value: string) =>
    name.toLowerCase() === 'origin' && URL.parse(value)?.host === url.host;
  return {
    name: `${method} ${shorten(url.pathname)}`,
    path: literal(path),
    ...(kept.length > 0 && {
      headers: Object.fromEntries(
        kept.map(([name, value]) => [name.toLowerCase(), isOwnOrigin(name, value) ? '${origin}' : literal(value)]),
      ),
    }),
  };
}

/** A path may hold what is a secret, such as that of an invitation; it goes into reports by its name. */
function shorten(path: string): string {
  return path.replace(/(?<=\/)(?=[^/]*\d)[\w.~=-]{24,}(?=\/|$)/g, '…');
}

function buildRequest(recorded: Recorded): Raw {
  const { method, body, status } = recorded;
  return {
    ...buildHead(recorded),
    method,
    ...(body !== undefined && { body: literal(body) }),
    // A recorded browser had it already, a new client has not.
    expect: { status: status === 304 ? 200 : status },
  };
}

/** What was sent, and that something came where something came soon after. */
function buildScript(messages: readonly RecordedMessage[]): Raw[] {
  let lastMs = messages[0]?.atMs ?? 0;
  return messages.slice(0, MAX_MESSAGES).flatMap(({ isSent, atMs, text }): Raw[] => {
    const isSoon = atMs - lastMs <= RESPONSE_MS;
    lastMs = isSent ? atMs : lastMs;
    if (isSent) return [{ send: literal(text) }];
    return isSoon ? [{ expect: {} }] : [];
  });
}

/** Cookies that the browser had when the recording began. */
function findCookies(recorded: readonly Recorded[]): Record<string, string> {
  const set = new Set<string>();
  const had: Record<string, string> = {};
  for (const { headers, source } of recorded) {
    const sent = headers.filter(([name]) => name.toLowerCase() === 'cookie').flatMap(([, value]) => value.split(';'));
    for (const pair of sent) {
      const at = pair.indexOf('=');
      const name = pair.slice(0, at).trim();
      if (at > 0 && !set.has(name) && !name.startsWith('AWSALB')) had[name] ??= pair.slice(at + 1).trim();
    }
    for (const name of source.cookies.keys()) set.add(name);
  }
  return had;
}

/** Values that a request got from an earlier response are taken from it in each run: tokens, ids of what was made. */
function buildSteps(recorded: readonly Recorded[]): Raw[] {
  const steps = recorded.map(buildRequest);
  const variables = new Map<string, string>();
  recorded.forEach((each, index) => {
    const sources = recorded.slice(0, index).map(({ source }) => source);
    for (const [name, value] of listSent(each)) {
      const origin = findOrigin(value, sources);
      const from = origin && steps[origin.from];
      if (!from) continue;
      const known = variables.get(`${origin.from} ${value}`);
      const variable = known ?? nameVariable(name, [...variables.values()]);
      variables.set(`${origin.from} ${value}`, variable);
      from.save = { ...(from.save as object | undefined), [variable]: origin.saved };
      steps[index] = withVariable(steps[index] ?? {}, value, variable);
    }
  });
  return steps;
}

/** The texts that a request may have got from somewhere, with a name for each. */
function listSent({ url, headers, body, source }: Recorded): [name: string, value: string][] {
  const own = headers.filter(([name]) => /csrf|xsrf|token|^authorization$/i.test(name));
  return [
    ...url.pathname.split('/').map((part): [string, string] => ['id', part]),
    ...url.searchParams,
    ...own.map(([name, value]): [string, string] => [name, value.replace(/^Bearer /i, '')]),
    ...(body === undefined || !source.changes ? [] : listInBody(body)),
  ].filter(([, value]) => value !== '');
}

function listInBody(body: string): [string, string][] {
  try {
    return listLeaves('value', JSON.parse(body));
  } catch {
    return body.includes('=') ? [...new URLSearchParams(body)] : [];
  }
}

function listLeaves(name: string, value: unknown): [string, string][] {
  if (typeof value === 'string' || typeof value === 'number') return [[name, `${value}`]];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, item]) => listLeaves(key, item));
}

function nameVariable(wanted: string, taken: readonly string[]): string {
  const name = `recorded_${wanted.replace(/\W/g, '_')}`;
  if (!taken.includes(name)) return name;
  let n = 2;
  while (taken.includes(`${name}_${n}`)) n += 1;
  return `${name}_${n}`;
}

/** In its path, its header fields and its body, wherever it stands by itself. */
function withVariable(step: Raw, value: string, variable: string): Raw {
  const { path, headers, body } = step;
  const place = `\${${variable}}`;
  const forms = [...new Set([value, encodeURIComponent(value)])].map(literal);
  const replace = (text: string) => forms.reduce((filled, form) => filled.replace(alone(form), () => place), text);
  return {
    ...step,
    path: replace(path as string),
    ...(headers !== undefined && {
      headers: Object.fromEntries(
        Object.entries(headers as object).map(([name, text]) => [name, replace(text as string)]),
      ),
    }),
    ...(body !== undefined && { body: replace(body as string) }),
  };
}

function alone(text: string): RegExp {
  return new RegExp(`(?<![\\w{])${text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')}(?![\\w}])`, 'g');
}

function describe(
  all: readonly Recorded[],
  recorded: readonly Recorded[],
  usable: readonly Recorded[],
  { host, cookies }: { readonly host: string; readonly cookies: readonly string[] },
): string[] {
  const others = all.filter((each) => !recorded.includes(each));
  const reasons = countBy(recorded.flatMap((each) => whyNot(each) ?? []));
  const left = [
    ...(others.length > 0
      ? [
          `${others.length} of other hosts (${[...countBy(others.map(({ url }) => url.host)).keys()].slice(0, 5).join(', ')})`,
        ]
      : []),
    ...[...reasons].map(([why, count]) => `${count} ${why}`),
  ];
  return [
    `${usable.length} ${usable.length === 1 ? 'entry' : 'entries'} of ${host}${left.length > 0 ? `; left out: ${left.join(', ')}` : ''}`,
    ...(cookies.length > 0
      ? [`each client has the recorded cookies ${cookies.join(', ')}, whose values are secrets`]
      : []),
  ];
}

function countBy(names: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}
