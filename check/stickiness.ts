import { setMaxListeners } from 'node:events';
import type { IncomingHttpHeaders } from 'node:http';
import { ServerNaming, findServerName } from '../core/check/server-name';
import { StickinessFigures, Visit, summarizeVisits } from '../core/check/stickiness';
import { oneLine } from '../core/text/one-line';
import { CookieJar } from '../rehearsal/traffic/clients/cookie-jar';
import { closeInOrder, openWebSocket } from './open-websocket';
import type { Progress } from './progress';
import { get } from './request';
import { CheckTarget, pause } from './target';

export interface StickinessPlan {
  readonly clients: number;
  /** Of each client, one after another. */
  readonly requests: number;
  /** Between two requests of a client. */
  readonly intervalMs: number;
  readonly naming: ServerNaming;
  /** Clients keep what the responses set. */
  readonly withCookies: boolean;
  /** Is asked once by each client before its requests, for the cookies; its own server does not count. */
  readonly cookiesFrom?: URL;
  /** The first message over a WebSocket, where servers do not speak first; `{client}` is the number of the client. */
  readonly send?: string;
}

/** As many requests at once as no server minds; and of half of the clients at the most, so that there is one to draw. */
const CONCURRENT_REQUESTS = 10;

/**
 * Lets clients with cookies of their own make their requests, in an order that is drawn: clients that take turns would each
 * meet the same server again behind a load balancer that takes turns, too. What it has seen by then counts when it is stopped.
 */
export async function checkStickiness(
  target: CheckTarget,
  plan: StickinessPlan,
  signal: AbortSignal,
  progress: Progress,
): Promise<StickinessFigures> {
  // Each request waits for it.
  setMaxListeners(0, signal);
  const visits: Visit[] = [];
  const cookies = new Set<string>();
  const run: Run = { target, plan, signal, cookies };
  const waiting = Array.from({ length: plan.clients }, (_, index) => new Client(run, index + 1));
  progress.describe = () => {
    const { servers, changed, requests } = summarizeVisits(visits, cookies);
    const total = plan.clients * plan.requests;
    return `${requests} of ${total} requests, ${servers.length} servers, ${changed.length} clients changed`;
  };
  const work = async () => {
    while (waiting.length > 0 && !signal.aborted) {
      const [client] = waiting.splice(Math.floor(Math.random() * waiting.length), 1);
      const visit = await client!.makeRequest();
      if (visit) visits.push(visit);
      if (!client!.isDone) waiting.push(client!);
    }
  };
  const atOnce = Math.min(CONCURRENT_REQUESTS, Math.ceil(plan.clients / 2));
  await Promise.all(Array.from({ length: atOnce }, work));
  return summarizeVisits(visits, cookies);
}

/** A response, whichever way it came. */
interface Seen {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly problem?: string;
}

interface Run {
  readonly target: CheckTarget;
  readonly plan: StickinessPlan;
  readonly signal: AbortSignal;
  /** The names of those that responses have set. */
  readonly cookies: Set<string>;
}

class Client {
  private readonly jar = new CookieJar();
  private made = 0;
  private hasFailed = false;

  constructor(
    private readonly run: Run,
    private readonly number: number,
  ) {}

  get isDone(): boolean {
    return this.hasFailed || this.made >= this.run.plan.requests;
  }

  /** The next one. @returns undefined where a person stopped the check: what was under way then is no failure */
  async makeRequest(): Promise<Visit | undefined> {
    const { run, jar, number: client } = this;
    const { target, plan, signal } = run;
    const isFirst = this.made === 0;
    this.made += 1;
    if (!isFirst && plan.intervalMs > 0) await pause(plan.intervalMs, signal);
    const problem = isFirst ? await this.fetchCookies() : undefined;
    // Its other requests would show what a client without cookies gets.
    this.hasFailed = problem !== undefined;
    if (signal.aborted) return undefined;
    if (problem !== undefined) return { client, problem };
    const path = target.url.pathname;
    const seen = await visit(target, plan, client, jar.header(path, Date.now()).cookie, signal);
    if (signal.aborted) return undefined;
    take(run, jar, seen, path);
    if (seen.problem !== undefined) return { client, problem: seen.problem };
    const server = findServerName(plan.naming, seen.headers, seen.body);
    return { client, ...(server !== undefined && { server }) };
  }

  /** @returns why it could not */
  private async fetchCookies(): Promise<string | undefined> {
    const { target, plan, signal } = this.run;
    if (!plan.cookiesFrom || !plan.withCookies) return undefined;
    const page = await request({ ...target, url: plan.cookiesFrom }, undefined, signal);
    take(this.run, this.jar, page, plan.cookiesFrom.pathname);
    return page.problem;
  }
}

function take({ plan, cookies }: Run, jar: CookieJar, { headers }: Seen, path: string): void {
  const fields = headers['set-cookie'] ?? [];
  for (const field of fields) cookies.add(oneLine(field.split('=')[0] ?? '', 100));
  if (plan.withCookies) jar.take(fields, path, Date.now());
}

function visit(
  target: CheckTarget,
  plan: StickinessPlan,
  client: number,
  cookie: string | undefined,
  signal: AbortSignal,
): Promise<Seen> {
  const isWebSocket = target.url.protocol.startsWith('ws');
  return isWebSocket ? greet(target, plan, client, cookie, signal) : request(target, cookie, signal);
}

async function request(target: CheckTarget, cookie: string | undefined, signal: AbortSignal): Promise<Seen> {
  const response = await get(target, cookie, signal);
  if ('problem' in response) return { headers: {}, body: '', problem: response.problem };
  const { status, headers, body } = response;
  return { headers, body, ...(status >= 400 && { problem: `HTTP status ${status}` }) };
}

/** Opens a WebSocket, and waits for a message that names its server, unless a header of the handshake does. */
async function greet(
  target: CheckTarget,
  { naming, send }: StickinessPlan,
  client: number,
  cookie: string | undefined,
  signal: AbortSignal,
): Promise<Seen> {
  let body = '';
  const named = new AbortController();
  const events = {
    onMessage: (text: string) => {
      body = text;
      if (findServerName(naming, {}, text) !== undefined) named.abort();
    },
    onClose: () => named.abort(),
  };
  const { socket, headers, problem } = await openWebSocket(
    target,
    events,
    signal,
    cookie === undefined ? {} : { cookie },
  );
  if (!socket) return { headers, body, problem: problem ?? 'it did not open' };
  if (naming.header === undefined) {
    if (send !== undefined) socket.send(send.replaceAll('{client}', String(client)));
    await pause(target.timeoutMs, AbortSignal.any([named.signal, signal]));
  }
  await closeInOrder(socket);
  return { headers, body };
}
