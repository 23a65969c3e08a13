import { CookieJar } from '../rehearsal/traffic/clients/cookie-jar';
import { closeInOrder, openWebSocket } from './open-websocket';
import { get } from './request';
import { CheckTarget, pause } from './target';
import type { WebSocket } from 'ws';
import { findServerName } from '../core/check/server-name';
import { parseJson } from '../core/check/pointer';
import type { ScalingPhase } from '../core/check/scaling';

/** What all clients of a load count together. */
export class ScalingCounts {
  opened = 0;
  requests = 0;
  strayed = 0;
  failedRequests = 0;
  dropped = 0;
  moved = 0;
  sent = 0;
  acknowledged = 0;
  delivered = 0;
  gaps = 0;
  doubled = 0;
  wrongStates = 0;
  phase: ScalingPhase = 'before';
  readonly latenciesMs: Record<ScalingPhase, number[]> = { before: [], during: [], after: [] };
  readonly problems: string[] = [];
}

export interface ChatRun {
  readonly target: CheckTarget;
  readonly counts: ScalingCounts;
  /** Whether the load balancer sends requests to this task. */
  readonly isServing: (server: string) => boolean;
  readonly signal: AbortSignal;
}

interface Message {
  readonly type?: string;
  readonly server?: string;
  readonly from?: string;
  readonly message_id?: number;
  readonly messages?: number;
  readonly last_message_id?: number;
  readonly entry?: string;
  readonly last?: string;
}

const RESTART = 1012;
/** No goodbye: its state is kept. */
const ANEW = 4000;
const NAMING = { fields: [['server']] };
/** Clients that were told to go come back at different moments. */
const BACK_MS = 200;

/**
 * A person in a chat: one WebSocket that connects again, whose messages are numbered and sent until they are acknowledged, and
 * requests with the same cookies beside it.
 */
export class ChatClient {
  private jar = new CookieJar();
  private readonly waiting = new Map<number, number>();
  private readonly heard = new Map<string, number>();
  private socket: WebSocket | undefined;
  private server: string | undefined;
  private last: string | undefined;
  private isDone = false;
  private comesAnew = false;
  number = 0;

  constructor(
    private readonly run: ChatRun,
    readonly id: string,
    readonly room: string,
  ) {}

  /** The task that it is connected with. */
  get task(): string | undefined {
    return this.server;
  }

  get isReady(): boolean {
    return this.server !== undefined;
  }

  /** Messages that are not acknowledged yet. */
  get open(): number {
    return this.waiting.size;
  }

  /** How many of another one's it has not heard, in order from the first. */
  countMissing(other: ChatClient): number {
    return Math.max(0, other.number - (this.heard.get(other.id) ?? 0));
  }

  /** Stays connected until {@link close}. */
  async stay(): Promise<void> {
    const { signal, counts } = this.run;
    for (let tries = 0; !signal.aborted && !this.isDone; tries += 1) {
      if (tries > 0) await pause(Math.random() * BACK_MS, signal);
      if (await this.connect()) continue;
      if (tries === 0 && !signal.aborted) counts.opened -= 1;
    }
  }

  say(): void {
    this.number += 1;
    this.run.counts.sent += 1;
    this.waiting.set(this.number, performance.now());
    if (this.isReady) this.send(this.number);
  }

  /** One request beside the WebSocket: it must come to the same task, as long as that one serves. */
  async request(): Promise<void> {
    const { target, counts, isServing, signal } = this.run;
    const { server, jar } = this;
    if (server === undefined || !isServing(server)) return;
    const url = new URL('/whoami', target.url);
    url.protocol = url.protocol.replace('ws', 'http');
    const response = await get({ ...target, url }, this.jar.header(url.pathname, Date.now()).cookie, signal);
    if (signal.aborted || this.isDone) return;
    if ('problem' in response || response.status !== 200) {
      counts.failedRequests += 1;
      counts.problems.push(`request: ${'problem' in response ? response.problem : `HTTP status ${response.status}`}`);
      return;
    }
    // The task began to go meanwhile, or the client is elsewhere by now: this response says nothing, and its cookie is old.
    if (this.server !== server || this.jar !== jar || !isServing(server)) return;
    jar.take(response.headers['set-cookie'], url.pathname, Date.now());
    counts.requests += 1;
    if (findServerName(NAMING, {}, response.body) !== server) counts.strayed += 1;
  }

  /** Leaves, and comes back without cookies, as from another browser: the load balancer draws a task for it. */
  comeAnew(): void {
    this.comesAnew = true;
    this.jar = new CookieJar();
    this.server = undefined;
    this.socket?.close(ANEW);
  }

  async close(): Promise<void> {
    this.isDone = true;
    if (this.socket) await closeInOrder(this.socket);
  }

  /** @returns whether it was open, until its end */
  private async connect(): Promise<boolean> {
    const { target, counts, signal } = this.run;
    const url = new URL(target.url);
    url.searchParams.set('client_id', this.id);
    url.searchParams.set('room', this.room);
    if (this.last !== undefined) url.searchParams.set('last', this.last);
    let closed: (code: number) => void = () => undefined;
    const end = new Promise<number>((resolve) => (closed = resolve));
    // A welcome may come with the handshake.
    const early: string[] = [];
    let isEarly = true;
    const onMessage = (text: string) => (isEarly ? void early.push(text) : this.hear(text));
    const events = { onMessage, onClose: closed };
    const cookie = this.jar.header(url.pathname, Date.now()).cookie;
    const { socket, headers, problem } = await openWebSocket({ ...target, url }, events, signal, { cookie });
    this.jar.take(headers['set-cookie'], url.pathname, Date.now());
    if (!socket) {
      if (!signal.aborted) counts.problems.push(`handshake: ${problem}`);
      return false;
    }
    this.socket = socket;
    for (const text of early) this.hear(text);
    isEarly = false;
    this.ended(await end);
    return true;
  }

  private ended(code: number): void {
    const { counts, isServing, signal } = this.run;
    const { server } = this;
    this.server = undefined;
    this.socket = undefined;
    if (this.isDone || signal.aborted) return;
    if (this.comesAnew) return void (this.comesAnew = false);
    const isAsked = code === RESTART && server !== undefined && !isServing(server);
    if (isAsked) counts.moved += 1;
    else {
      counts.dropped += 1;
      counts.problems.push(`closed with ${code} by a task that ${server && isServing(server) ? 'serves' : 'goes'}`);
    }
  }

  private send(number: number): void {
    const message = { type: 'message', client_id: this.id, message_id: number, text: new Date().toISOString() };
    this.socket?.send(JSON.stringify(message));
  }

  private hear(text: string): void {
    // Of a connection that it has left: what it did not hear there comes again.
    if (this.comesAnew) return;
    const message = (parseJson(text) ?? {}) as Message;
    if (message.type === 'welcome') this.welcomed(message);
    else if (message.type === 'ack') this.acknowledged(message);
    else if (message.type === 'message') this.delivered(message);
  }

  private welcomed({ server, last, messages, last_message_id: kept = 0 }: Message): void {
    this.last ??= last;
    this.server = server;
    const [oldest = this.number + 1] = this.waiting.keys();
    // What was acknowledged is known wherever it comes to.
    if (messages !== kept || kept < oldest - 1)
      this.noteWrong(`${messages} messages up to ${kept}, and ${oldest} is open`);
    for (const number of this.waiting.keys()) this.send(number);
  }

  private acknowledged({ message_id: number = 0, messages, last_message_id: kept = 0 }: Message): void {
    const { counts } = this.run;
    const sentMs = this.waiting.get(number);
    if (messages !== kept || kept < number)
      this.noteWrong(`${messages} messages up to ${kept}, and ${number} was taken`);
    // One that was sent again may be acknowledged twice.
    if (sentMs === undefined) return;
    this.waiting.delete(number);
    counts.acknowledged += 1;
    counts.latenciesMs[counts.phase].push(performance.now() - sentMs);
  }

  /** The first time; from then on all that follows is wrong, too. */
  private noteWrong(what: string): void {
    if (this.run.counts.wrongStates === 0)
      this.run.counts.problems.push(`state of ${this.id} at ${this.server}: ${what}`);
    this.run.counts.wrongStates += 1;
  }

  private delivered({ from = '', message_id: number = 0, entry }: Message): void {
    const { counts } = this.run;
    const before = this.heard.get(from) ?? 0;
    this.last = entry ?? this.last;
    if (number <= before) return void (counts.doubled += 1);
    counts.gaps += number - before - 1;
    counts.delivered += 1;
    this.heard.set(from, number);
  }
}
