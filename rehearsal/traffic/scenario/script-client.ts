import { ConnectionOptions } from 'node:tls';
import { ClientOptions, RawData, WebSocket } from 'ws';
import { Content, Mismatch, findMismatch, isAnything, showForm, showText } from '../../../core/scenario/content';
import type { ScriptStep, ScriptedWebSocket } from '../../../core/scenario/scenario';
import { fillJson, fillText } from '../../../core/scenario/variables';
import { machineTime } from '../../processes/machine-time';
import { findSide } from '../clients/http-checker';
import { rejectedForMs } from '../clients/reconnect';
import type { SeenOn } from '../counting/entries';
import { CLEAN_CODES, CLOSE_MS, HANDSHAKE_MS, NEVER_MS } from '../clients/websocket-client';
import { Endpoint, connectionTo } from '../transport/endpoint';
import { buildHeaders, encodeSpaces, findMissing } from './build-request';
import { LongLivedClient, LongLivedSetup, asksToLogIn } from './long-lived';

/** So many connections in a row that end in order before anything came are no drain: the application serves none. */
const MAX_FRUITLESS = 3;

/** How a wait for a message ended: with one, with the time, or with the connection. */
type Next = { readonly message: string } | 'late' | 'closed';

interface Ended {
  readonly code: number;
  readonly wasOpen: boolean;
  /** Of a handshake that was rejected. */
  readonly status?: number;
  readonly error?: string;
  readonly rejectedForMs?: number | undefined;
}

/** A WebSocket of a scenario: connects, runs its script again and again, and connects again after each end. */
export class ScriptClient extends LongLivedClient {
  private socket: WebSocket | undefined;
  private side: SeenOn = 'noSide';
  private inbox: string[] = [];
  private arrived: () => void = () => undefined;
  private endedMs: number | undefined;
  /** Whether this end has begun to close the connection. */
  private isClosing = false;
  /** `cut`: given up, and what it lost is counted already. */
  private state: 'running' | 'served' | 'givenUp' | 'cut' = 'running';

  constructor(
    private readonly endpoint: Endpoint,
    private readonly spec: ScriptedWebSocket,
    setup: LongLivedSetup,
  ) {
    super(setup);
  }

  async live(): Promise<void> {
    while (this.state === 'running') {
      if (!(await this.begin())) {
        await this.pause(this.backOff.pauseMs());
        continue;
      }
      const ended = await this.connection();
      this.judge(ended);
      if (this.state === 'running') await this.pause(Math.max(ended.rejectedForMs ?? 0, this.backOff.pauseMs()));
    }
  }

  /** Ends after the round that is under way, or one more. A client that gets through none by then was not served. */
  finish(withinMs: number): void {
    this.startFinishing();
    machineTime.limit(withinMs, () => this.giveUp(withinMs));
  }

  private connection(): Promise<Ended> {
    this.isClosing = false;
    const { visit } = this.setup;
    const { path: template, headers, subprotocol } = this.spec;
    const missing = findMissing([template, headers], visit.variables);
    if (missing !== undefined)
      return Promise.resolve({ code: 1006, wasOpen: false, error: `no value of '${missing}'` });
    const path = encodeSpaces(fillText(template, visit.variables));
    const { host, port, authority } = this.endpoint;
    // The types of `ws` leave out what it passes on to TLS, and its newest option.
    const options: ClientOptions & ConnectionOptions & { closeTimeout: number } = {
      ...connectionTo(this.endpoint),
      headers: { ...buildHeaders(headers, visit.variables), host: authority, ...visit.jar.header(path, Date.now()) },
      perMessageDeflate: false,
      closeTimeout: NEVER_MS,
    };
    const url = `wss://${host}:${port}${path}`;
    this.side = 'noSide';
    this.inbox = [];
    const seeSession = this.carrySession(path, headers);
    return new Promise((resolve) => {
      const socket = new WebSocket(url, subprotocol === undefined ? [] : [subprotocol], options);
      this.socket = socket;
      let error: string | undefined;
      let wasOpen = false;
      const limit = machineTime.limit(HANDSHAKE_MS, () => {
        error ??= `no response in ${HANDSHAKE_MS} ms`;
        socket.terminate();
      });
      socket.on('error', (problem) => (error ??= problem.message));
      socket.on('upgrade', (response) => {
        this.learn({ status: 101, headers: response.headers }, path);
        seeSession();
      });
      socket.on('message', (data) => this.receive(data));
      socket.on('open', () => {
        limit.clear();
        wasOpen = true;
        void this.converse(socket);
      });
      socket.on('unexpected-response', (request, response) => {
        limit.clear();
        const head = { status: response.statusCode ?? 0, headers: response.headers };
        this.learn(head, path);
        seeSession();
        resolve({ code: 1006, wasOpen, status: head.status, rejectedForMs: rejectedForMs(head) });
        request.destroy();
      });
      socket.on('close', (code) => {
        limit.clear();
        this.arrived();
        resolve({ code, wasOpen, ...(error !== undefined && { error }) });
      });
    });
  }

  private learn(head: { status: number; headers: NodeJS.Dict<string | string[]> }, path: string): void {
    this.side = findSide(head) ?? 'noSide';
    this.setup.visit.jar.take(head.headers['set-cookie'], path, Date.now(), findSide(head));
  }

  private receive(data: RawData): void {
    this.inbox.push((data as Buffer).toString('utf8'));
    this.arrived();
  }

  /** The opening, then round after round, until the connection ends, something is wrong or it is to finish. */
  private async converse(socket: WebSocket): Promise<void> {
    const { websocket, live } = this.setup.recorder;
    websocket.opened += 1;
    live.websocket += 1;
    if (this.endedMs !== undefined) this.setup.recorder.gap('websocket', this.endedMs);
    socket.once('close', () => {
      live.websocket -= 1;
      this.endedMs = performance.now();
    });
    // That it was opened is right, and yet nothing that the client came for.
    this.countRight(this.side);
    let isRight = await this.run(this.spec.opening, socket);
    while (isRight && socket.readyState === WebSocket.OPEN) {
      this.setup.visit.nextRound();
      isRight = await this.run(this.spec.script, socket);
      if (isRight && this.isFinishing && socket.readyState === WebSocket.OPEN) {
        this.state = 'served';
        break;
      }
      if (isRight) await this.pause(this.spec.everySeconds * 1000);
      // Who only sends was served where the connection has lasted.
      if (isRight && socket.readyState === WebSocket.OPEN) this.backOff.served();
    }
    this.close(socket);
  }

  /** @returns false where a message was not the right one, or the connection has ended */
  private async run(steps: readonly ScriptStep[], socket: WebSocket): Promise<boolean> {
    for (const { send, expect, withinSeconds } of steps) {
      if (socket.readyState !== WebSocket.OPEN) return false;
      const dueMs = performance.now();
      if (send !== undefined) this.send(send, socket);
      if (expect === undefined) continue;
      const found = await this.expectMessage(expect, withinSeconds, socket);
      // What was asked on a connection that ended in order is asked again on the next one.
      if (found === 'closed') return false;
      this.setup.recorder.waited(dueMs);
      if (!this.count(found)) return false;
      // A message that was not asked for comes when it comes.
      if (send !== undefined) this.countTime(this.side, dueMs);
    }
    return true;
  }

  private send(message: unknown, socket: WebSocket): void {
    const filled = fillJson(message, this.setup.visit.variables);
    socket.send(typeof filled === 'string' ? filled : JSON.stringify(filled), () => undefined);
  }

  /** @returns whether it was right */
  private count(found: 'right' | Mismatch): boolean {
    const { websocket } = this.setup.recorder;
    websocket.sent += 1;
    if (found === 'right') {
      websocket.received += 1;
      this.right(this.side);
      return true;
    }
    websocket.lost += 1;
    this.wrong(this.side, found);
    this.logInAgain();
    return false;
  }

  private async expectMessage(
    content: Content,
    withinSeconds: number,
    socket: WebSocket,
  ): Promise<'right' | 'closed' | Mismatch> {
    const late = new AbortController();
    const limit = machineTime.limit(withinSeconds * 1000, () => late.abort());
    try {
      for (let wrong: Mismatch | undefined; ;) {
        const next = await this.nextMessage(late.signal, socket);
        if (next === 'closed') return 'closed';
        if (next === 'late') return wrong ?? { expected: describe(content), got: `none in ${withinSeconds} s` };
        wrong = findMismatch(content, next.message, this.setup.visit.variables);
        if (!wrong) return 'right';
        if (!this.spec.skipsOthers) return wrong;
      }
    } finally {
      limit.clear();
    }
  }

  private async nextMessage(late: AbortSignal, socket: WebSocket): Promise<Next> {
    for (;;) {
      const message = this.inbox.shift();
      if (message !== undefined) return { message };
      if (this.state === 'cut') return 'closed';
      if (this.state === 'givenUp' || late.aborted) return 'late';
      if (socket.readyState === WebSocket.CLOSED) return 'closed';
      await new Promise<void>((resolve) => {
        this.arrived = resolve;
        late.addEventListener('abort', () => resolve(), { once: true });
      });
    }
  }

  private close(socket: WebSocket): void {
    if (socket.readyState !== WebSocket.OPEN) return;
    this.isClosing = true;
    socket.close(1000);
    const limit = machineTime.limit(CLOSE_MS, () => socket.terminate());
    socket.once('close', () => limit.clear());
  }

  private judge({ code, wasOpen, status, error, rejectedForMs: forMs }: Ended): void {
    const { websocket } = this.setup.recorder;
    if (forMs !== undefined) {
      websocket.refused += 1;
      this.backOff.endInOrder();
    } else if (CLEAN_CODES.includes(code)) {
      websocket.closedCleanly += 1;
      if (!this.isClosing) websocket.closedByServer += 1;
      const fruitless = this.backOff.endInOrder();
      if (fruitless >= MAX_FRUITLESS && !this.backOff.hasFailed) this.missMessage(code);
    } else if (this.state !== 'cut' && (wasOpen || this.state !== 'givenUp')) {
      // A handshake that is cut short because the client is given up is not another loss.
      const expected = wasOpen ? 'a Close frame at the end' : '101, a WebSocket';
      this.drop({ expected, got: error ?? `${status ?? `code ${code}`}` });
      if (status !== undefined && asksToLogIn(status)) this.logInAgain();
    }
  }

  private drop(mismatch: Mismatch): void {
    if (this.failed(this.side, mismatch)) this.setup.recorder.websocket.dropped += 1;
  }

  /** A drain may end a connection before its first message, but not one after the other. */
  private missMessage(code: number): void {
    const { opening, script } = this.spec;
    const expected = [...opening, ...script].find(({ expect }) => expect !== undefined)?.expect;
    if (expected) this.count({ expected: describe(expected), got: `a Close frame (${code}) before it` });
  }

  private giveUp(afterMs: number): void {
    if (this.state !== 'running') return;
    this.state = 'givenUp';
    this.endPause();
    // Who got nothing but failures until now is counted already, also where the next one has not come yet.
    if (this.backOff.isFailing) this.state = 'cut';
    // A message that is waited for has not come.
    else if (this.socket?.readyState === WebSocket.OPEN) return this.arrived();
    else if (!this.backOff.hasFailed) this.drop({ expected: 'a WebSocket at the end', got: `none in ${afterMs} ms` });
    this.socket?.terminate();
  }
}

function describe(content: Content): string {
  if (isAnything(content)) return 'a message';
  if (content.text !== undefined) return showText(content.text);
  return content.matches === undefined ? 'a message with this JSON' : `a match of ${showForm(content.matches)}`;
}
