import { Recorded, readHar } from './har';
import { describeRecording } from './har-notes';
import { Raw, RecordedSteps, buildEventStream, buildStream, buildWebSocket } from './har-steps';
import { countStart, findLogout } from './har-visit';

export interface ConvertedHar {
  /** A scenario as a file has it, not yet checked. */
  readonly value: Raw;
  /** What was taken and what was left out, in words, without a value of the recording. */
  readonly notes: readonly string[];
}

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];
const MAX_ENTRIES = 1_000;
/** All together they send about so many requests a second; a few clients get to the end of a long recording. */
const REQUESTS_PER_SECOND = 100;
/** As a scenario may have them: a token, and what a Cookie header may carry. */
const COOKIE_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const COOKIE_VALUE = /^[^\x00-\x1f;\x7f-\uffff]*$/;

/**
 * A scenario of what a browser recorded: its requests in their order, with the statuses that they got. Those up to a login, and up
 * to what brings a WebSocket or a stream its session, are what each client does first.
 *
 * @param host of which requests are taken. @default - that of the first page
 * @returns undefined of what is no HAR, or has no request of the host
 */
export function convertHar(har: unknown, host?: string): ConvertedHar | undefined {
  const all = readHar(har);
  const chosen = host ?? (all && findHost(all));
  if (!all || chosen === undefined) return undefined;
  const recorded = all.filter(({ url }) => url.host === chosen || url.hostname === chosen);
  const fit = recorded.filter((each) => whyNot(each) === undefined);
  const taken = fit.slice(0, MAX_ENTRIES);
  const logout = findLogout(taken);
  const usable = taken.slice(0, logout);
  const of = (kind: Kind) => usable.filter((each) => findKind(each) === kind);
  const requests = of('request');
  if (requests.length === 0) return undefined;
  const longLived = usable.filter((each) => findKind(each) !== 'request');
  const startCount = countStart(requests, longLived);
  const recording = new RecordedSteps(requests);
  const cookies = findCookies(usable);
  const value = {
    requestsPerSecond: REQUESTS_PER_SECOND,
    clients: Math.min(50, Math.max(4, Math.round(1000 / requests.length))),
    ...(Object.keys(cookies.kept).length > 0 && { cookies: cookies.kept }),
    ...buildParts(recording, startCount, of),
  };
  const notes = describeRecording({
    ...{ all, recorded, usable, requests, longLived, startCount, recording, host: chosen },
    reasons: recorded.flatMap((each) => whyNot(each) ?? []),
    cut: { beyondMaximum: fit.length - taken.length, fromLogout: taken.length - usable.length },
    cookies: { kept: Object.keys(cookies.kept), left: cookies.left },
  });
  return { value, notes };
}

/** A redirect to the host that the page is on has a page, too. */
function findHost(recorded: readonly Recorded[]): string | undefined {
  const pages = recorded.filter(({ mimeType, status }) => mimeType === 'text/html' && status > 0);
  const page = pages.find(({ status }) => status >= 200 && status <= 299) ?? pages[0];
  return (page ?? recorded[0])?.url.host;
}

/** Why an entry is no request of a scenario, which must be right in each run; undefined where it is one. */
function whyNot(recorded: Recorded): string | undefined {
  const { status, isBinary, method } = recorded;
  if (status === 0) return 'without a response';
  if (!METHODS.includes(method)) return `of the method ${method}`;
  if (isBinary) return 'whose body is not in the recording as a text';
  if (redirectsToHttps(recorded)) return 'that redirect to https';
  if (isWebSocket(recorded)) return status === 101 ? undefined : 'that are a WebSocket which was rejected';
  return whyNotStatus(status);
}

/** All clients come by https, and the load balancer redirects the others. */
function redirectsToHttps({ url, redirect }: Recorded): boolean {
  return url.protocol === 'http:' && redirect?.protocol === 'https:' && redirect.hostname === url.hostname;
}

function whyNotStatus(status: number): string | undefined {
  if (status === 412) return 'whose condition did not hold (412)';
  if (status === 429 || (status >= 500 && status <= 599)) return 'with a status of trouble (429, 500 and above)';
  return status >= 200 && status <= 599 ? undefined : `with the status ${status}`;
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

/** What has a connection of its own has the values of the first requests alone. */
function buildParts(
  recording: RecordedSteps,
  startCount: number,
  of: (kind: Kind) => readonly Recorded[],
): Readonly<Record<string, unknown>> {
  const fill = (build: (recorded: Recorded) => Raw) => (each: Recorded) =>
    recording.fill(build(each), each, startCount);
  const webSockets = of('webSocket').map(fill(buildWebSocket));
  const eventStreams = of('eventStream').map(fill(buildEventStream));
  const streams = of('stream').map(fill(buildStream));
  const { steps } = recording;
  return {
    ...(startCount > 0 && { start: steps.slice(0, startCount) }),
    journeys: [{ name: 'recording', steps: steps.slice(startCount) }],
    ...{ webSockets, eventStreams, streams },
  };
}

/** Cookies that the browser had when the recording began, as far as a client of ours can send them. */
function findCookies(recorded: readonly Recorded[]): { kept: Record<string, string>; left: string[] } {
  const set = new Set<string>();
  const had = new Map<string, string>();
  for (const { headers, source } of recorded) {
    const sent = headers.filter(([name]) => name.toLowerCase() === 'cookie').flatMap(([, value]) => value.split(';'));
    for (const pair of sent) {
      const at = pair.indexOf('=');
      const name = pair.slice(0, at).trim();
      if (at < 1 || set.has(name) || had.has(name) || name.startsWith('AWSALB')) continue;
      had.set(name, pair.slice(at + 1).trim());
    }
    for (const name of source.cookies.keys()) set.add(name);
  }
  const canBeSent = ([name, value]: [string, string]) => COOKIE_NAME.test(name) && COOKIE_VALUE.test(value);
  const all = [...had];
  return {
    kept: Object.fromEntries(all.filter(canBeSent)),
    left: all.filter((each) => !canBeSent(each)).map(([name]) => name),
  };
}
