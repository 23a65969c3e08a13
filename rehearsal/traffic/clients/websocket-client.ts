import { IncomingMessage } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { ConnectionOptions } from 'node:tls';
import { ClientOptions, RawData, WebSocket } from 'ws';
import { CookieJar } from './cookie-jar';
import { machineTime } from '../../processes/machine-time';
import { MessageLedger } from '../counting/message-ledger';
import { Endpoint, connectionTo } from '../transport/endpoint';
import { Recorder } from '../counting/recorder';
import { BackOff, rejectedForMs } from './reconnect';

const PATH = '/ws/counter';

/** Normal, going away, service restart; 1005 is a Close frame without a code (RFC 6455, 7.4.1; 1012 is IANA's). */
export const CLEAN_CODES: readonly number[] = [1000, 1001, 1005, 1012];
export const HANDSHAKE_MS = 10_000;
/** For the response to a Close frame. */
export const CLOSE_MS = 5_000;
/** The longest that a timer of Node takes: `CLOSE_MS` is counted in the time of this machine, which `ws` does not. */
export const NEVER_MS = 2 ** 31 - 1;

interface Ended {
  readonly code: number;
  readonly error?: string;
  /** Rejected with 503 and Retry-After: wait for this long. */
  readonly rejectedForMs?: number;
}

/**
 * One client of the counter, with the cookies of a browser. It lives until it is told to finish, over as many connections
 * as it takes; what got no response on one is sent again on the next.
 */
export class WebSocketClient {
  private readonly ledger = new MessageLedger();
  private readonly jar = new CookieJar();
  /** When each message was due that has no response yet. */
  private readonly due = new Map<number, number>();
  /** The highest number of a message within this connection that the server has told: it goes on wherever the connection moves. */
  private lastSequence = 0;
  /** When those were due that wait for a connection. */
  private held: number[] = [];
  /** From its handshake to its end. */
  private socket: WebSocket | undefined;
  private isOpen = false;
  /** Whether its first connection was begun. */
  private hasCome = false;
  /** When the last connection ended. */
  private endedMs: number | undefined;
  /** Sends no more on this connection, and closes it when all got a response. */
  private isRetiring = false;
  /** Whether this end has begun to close the connection. */
  private isClosing = false;
  private isFinishing = false;
  /** Whether the message is sent whose response shows that the client was served to the end. */
  private hasSentLast = false;
  private isGivenUp = false;
  private readonly backOff = new BackOff();
  private wake: () => void = () => undefined;

  /** @param lifetimeMs Drawn for each connection; after it the client closes it by itself. Infinity: never. */
  constructor(
    private readonly endpoint: Endpoint,
    private readonly name: string,
    private readonly recorder: Recorder,
    private readonly lifetimeMs: () => number,
  ) {}

  /** Connects, and again after each end; resolves when it has finished. */
  async live(): Promise<void> {
    this.hasCome = true;
    while (!this.isDone()) {
      this.backOff.begin();
      const ended = await this.connection();
      this.judge(ended);
      if (!this.isDone()) await this.pause(Math.max(ended.rejectedForMs ?? 0, this.backOff.pauseMs()));
    }
  }

  /**
   * Sends the next message, or keeps it for the next connection where this one was lost.
   *
   * @param dueMs when it was due (`performance.now()`)
   */
  send(dueMs: number): void {
    // Who has not come yet sends nothing, and who closes a page nothing until the next one is open.
    if (!this.hasCome || this.isRetiring || this.isFinishing) return;
    if (this.socket?.readyState === WebSocket.OPEN) this.sendNext(dueMs);
    else this.held.push(dueMs);
  }

  /**
   * Sends one more message, on the next connection if there is none now, waits for it and for all responses that are owed,
   * then closes with 1000. `live` resolves at its end. A client that is not served by then has lost its connection.
   */
  finish(withinMs: number): void {
    this.isFinishing = true;
    machineTime.limit(withinMs, () => this.giveUp(withinMs));
    this.backOff.hurry();
    this.wake();
    this.sendLast();
  }

  /** Shorter, when it is told to finish meanwhile. */
  private pause(ms: number): Promise<unknown> {
    const woken = new Promise<void>((resolve) => (this.wake = resolve));
    return Promise.race([delay(ms), woken]);
  }

  private sendNext(dueMs: number): void {
    this.recorder.websocket.sent += 1;
    const n = this.ledger.next();
    this.due.set(n, dueMs);
    this.transmit(n);
  }

  private sendLast(): void {
    if (!this.isFinishing || this.hasSentLast || this.socket?.readyState !== WebSocket.OPEN) return;
    this.hasSentLast = true;
    this.sendNext(performance.now());
  }

  private isServed(): boolean {
    return this.hasSentLast && this.ledger.allResponded;
  }

  private isDone(): boolean {
    return this.isGivenUp || this.isServed();
  }

  private connection(): Promise<Ended> {
    this.isRetiring = false;
    this.isClosing = false;
    return new Promise((resolve) => {
      const { host, port, authority } = this.endpoint;
      // The types of `ws` leave out what it passes on to TLS, and its newest option.
      const options: ClientOptions & ConnectionOptions & { closeTimeout: number } = {
        ...connectionTo(this.endpoint),
        headers: { host: authority, ...this.jar.header(PATH, Date.now()) },
        perMessageDeflate: false,
        closeTimeout: NEVER_MS,
      };
      const socket = new WebSocket(`wss://${host}:${port}${PATH}?client=${encodeURIComponent(this.name)}`, options);
      this.socket = socket;
      let error: string | undefined;
      const limit = machineTime.limit(HANDSHAKE_MS, () => {
        error ??= 'Opening handshake has timed out';
        socket.terminate();
      });
      socket.once('open', () => limit.clear());
      socket.on('error', (problem) => (error ??= problem.message));
      socket.on('upgrade', (response) => this.takeCookies(response));
      socket.on('open', () => this.opened(socket));
      socket.on('message', (data) => this.received(data));
      socket.on('unexpected-response', (request, response) => {
        this.takeCookies(response);
        resolve(rejection(response));
        request.destroy();
      });
      socket.on('close', (code) => {
        limit.clear();
        resolve({ code, error });
      });
    });
  }

  private takeCookies({ headers }: IncomingMessage): void {
    this.jar.take(headers['set-cookie'], PATH, Date.now());
  }

  private opened(socket: WebSocket): void {
    this.isOpen = true;
    this.lastSequence = 0;
    this.recorder.websocket.opened += 1;
    this.recorder.live.websocket += 1;
    if (this.endedMs !== undefined) this.recorder.gap('websocket', this.endedMs);
    for (const n of this.ledger.unanswered) this.transmit(n);
    for (const dueMs of this.held.splice(0)) this.sendNext(dueMs);
    const lifetimeMs = this.lifetimeMs();
    if (lifetimeMs !== Infinity) this.retireAfter(lifetimeMs, socket);
    this.sendLast();
  }

  private retireAfter(lifetimeMs: number, socket: WebSocket): void {
    const end = machineTime.limit(lifetimeMs, () => {
      this.isRetiring = true;
      this.closeWhenResponded();
    });
    socket.once('close', () => end.clear());
  }

  private transmit(n: number): void {
    // A message that cannot be written yet, or no more, stays unanswered and goes out on the next connection.
    if (this.socket?.readyState !== WebSocket.OPEN) return;
    this.socket.send(JSON.stringify({ n }), () => undefined);
  }

  private received(data: RawData): void {
    const text = (data as Buffer).toString('utf8');
    const response = readResponse(text);
    if (response === undefined) return this.recorder.note(this.name, `expected {"n","count","sequence"}, got ${text}`);
    const responded = this.ledger.responded;
    this.backOff.served();
    const findings = this.ledger.respond(response.n, response.count);
    this.recorder.websocket.received += this.ledger.responded - responded;
    this.settle(response.n);
    for (const { what, ...faults } of findings) {
      for (const [name, amount] of Object.entries(faults)) this.add(name as keyof typeof faults, amount);
      this.recorder.note(this.name, what);
    }
    // What came late or twice says nothing of where it came from.
    if (findings.length === 0) this.checkSequence(response.sequence);
    this.closeWhenResponded();
  }

  /** One that starts again is another connection to the server: it was not told whose it was before. */
  private checkSequence(sequence: number): void {
    if (sequence <= this.lastSequence) {
      this.add('outOfOrder', 1);
      const rule = `a number over ${this.lastSequence} within the connection`;
      this.recorder.note(this.name, `expected ${rule}, got ${sequence}: it was not resumed`);
    }
    this.lastSequence = sequence;
  }

  private close(): void {
    const { socket } = this;
    if (socket?.readyState !== WebSocket.OPEN) return;
    this.isClosing = true;
    socket.close(1000);
    const limit = machineTime.limit(CLOSE_MS, () => socket.terminate());
    socket.once('close', () => limit.clear());
  }

  private settle(n: number): void {
    const dueMs = this.due.get(n);
    if (dueMs !== undefined) this.recorder.waited(dueMs);
    this.due.delete(n);
  }

  private add(name: 'lost' | 'duplicated' | 'outOfOrder', amount: number): void {
    this.recorder.websocket[name] += amount;
  }

  private closeWhenResponded(): void {
    if ((this.isRetiring && this.ledger.allResponded) || this.isServed()) this.close();
  }

  private judge({ code, error, rejectedForMs: forMs }: Ended): void {
    const { websocket } = this.recorder;
    const wasOpen = this.leave();
    const isInOrder = forMs !== undefined || CLEAN_CODES.includes(code);
    if (isInOrder) this.backOff.endInOrder();
    if (forMs !== undefined) websocket.refused += 1;
    else if (isInOrder) {
      websocket.closedCleanly += 1;
      if (!this.isClosing) websocket.closedByServer += 1;
    }
    // A handshake that is cut short because the client is given up is not another loss.
    else if (wasOpen || !this.isGivenUp)
      this.drop(`expected a connection that ends with a Close frame, got ${error ?? `code ${code}`}`);
  }

  /** @returns whether there was a connection. */
  private leave(): boolean {
    const wasOpen = this.isOpen;
    this.isOpen = false;
    this.socket = undefined;
    if (!wasOpen) return false;
    this.endedMs = performance.now();
    this.recorder.live.websocket -= 1;
    return true;
  }

  /** A client that is rejected again and again for one reason has lost one connection. */
  private drop(why: string): void {
    if (!this.backOff.fail(why)) return;
    this.recorder.websocket.dropped += 1;
    this.recorder.note(this.name, why);
  }

  private giveUp(afterMs: number): void {
    if (this.isServed()) return;
    this.isGivenUp = true;
    // What was due and never sent has no response either.
    for (const dueMs of this.held.splice(0)) this.sendNext(dueMs);
    const { unanswered } = this.ledger;
    if (unanswered.length > 0) {
      this.recorder.websocket.lost += unanswered.length;
      for (const n of unanswered) this.settle(n);
      this.recorder.note(this.name, `expected responses to messages ${unanswered.join(', ')}, got none`);
    }
    if (this.isOpen) return this.close();
    if (this.endedMs !== undefined) this.recorder.gap('websocket', this.endedMs);
    // Who was rejected until now is counted already.
    if (!this.backOff.hasFailed) this.drop(`expected a connection at the end, got none in ${afterMs} ms`);
    this.socket?.terminate();
  }
}

function rejection(response: IncomingMessage): Ended {
  const forMs = rejectedForMs({ status: response.statusCode ?? 0, headers: response.headers });
  return { code: 1006, error: `handshake got ${response.statusCode}`, rejectedForMs: forMs };
}

interface Response {
  readonly n: number;
  readonly count: number;
  readonly sequence: number;
}

function readResponse(text: string): Response | undefined {
  try {
    const { n, count, sequence } = JSON.parse(text) as Record<string, unknown>;
    const areNumbers = typeof n === 'number' && typeof count === 'number' && typeof sequence === 'number';
    return areNumbers ? { n, count, sequence } : undefined;
  } catch {
    return undefined;
  }
}
