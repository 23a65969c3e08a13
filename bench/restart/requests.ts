// Requests at a fixed rate on kept-alive connections, each with a path of its own that has to come back.
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { ResponseReader } from '../load/response-reader';
import { asked, say } from '../load/inside';
import { HOST } from '../processes/ports';
import type { RequestsOrder, RequestsReport } from './messages';
import { onOrders } from './orders';
import { Window } from './window';

const CONNECTIONS = 64;
const TICK_MS = 5;
const PROBLEMS = 5;

const { ports, isTls, perSecond } = asked<RequestsOrder>();
const window = new Window();
const counts = { sent: 0, responded: 0, errors: 0 };
const problems: string[] = [];
const waiting: { readonly number: number; readonly dueMs: number }[] = [];
const idle: Client[] = [];
const busy = new Set<Client>();
let isOver = false;
let opened = 0;

function fail(problem: string): void {
  counts.errors += 1;
  if (problems.length < PROBLEMS) problems.push(problem);
}

class Client {
  readonly #socket: Socket;
  #asked: { readonly number: number; readonly dueMs: number } | undefined;
  #body = '';
  #isOpen = true;
  #closes = false;

  constructor() {
    const port = ports[(opened += 1) % ports.length]!;
    this.#socket = isTls
      ? connectTls({ host: HOST, port, rejectUnauthorized: false }).setNoDelay(true)
      : connect({ host: HOST, port, noDelay: true });
    const responses = new ResponseReader({
      head: ({ fields }) => (this.#closes = fields.get('connection')?.toLowerCase() === 'close'),
      data: (bytes) => (this.#body += bytes.toString('latin1')),
      end: ({ status }) => this.#end(status),
    });
    this.#socket.on('data', (bytes) => responses.push(bytes));
    this.#socket.on('error', (error) => this.#close(error.message));
    this.#socket.on('close', () => this.#close('the connection was closed'));
    idle.push(this);
  }

  get dueMs(): number {
    return this.#asked?.dueMs ?? Number.NaN;
  }

  ask(asked: { readonly number: number; readonly dueMs: number }): void {
    this.#asked = asked;
    this.#body = '';
    busy.add(this);
    counts.sent += 1;
    this.#socket.write(`GET /${asked.number} HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`, 'latin1');
  }

  #end(status: number): void {
    const asked = this.#asked;
    this.#asked = undefined;
    busy.delete(this);
    if (asked === undefined) return fail('a response without a request');
    if (status !== 200) fail(`status ${status}`);
    else if (this.#body !== `/${asked.number}`) fail(`a response to '/${asked.number}' with the body '${this.#body}'`);
    else counts.responded += 1;
    window.add(asked.dueMs, performance.now());
    // The server has said that it closes: no request is sent on it, so none is lost.
    if (this.#closes) return void this.#socket.end();
    idle.push(this);
    next();
  }

  /** A connection without a request may close at any time (RFC 9112, section 9.5). */
  #close(problem: string): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#socket.destroy();
    const at = idle.indexOf(this);
    if (at >= 0) idle.splice(at, 1);
    if (busy.delete(this)) fail(problem);
    if (isOver) return;
    new Client();
    next();
  }
}

function next(): void {
  while (waiting.length > 0 && idle.length > 0) idle.shift()!.ask(waiting.shift()!);
}

const startMs = performance.now();
let due = 0;
function tick(): void {
  const nowMs = performance.now();
  for (; startMs + (due * 1000) / perSecond <= nowMs; due += 1)
    waiting.push({ number: due, dueMs: startMs + (due * 1000) / perSecond });
  next();
}

function report(): RequestsReport {
  const open = [...busy].map(({ dueMs }) => dueMs);
  return { ...counts, problems, latency: window.summarize([...open, ...waiting.map(({ dueMs }) => dueMs)]) };
}

for (let index = 0; index < CONNECTIONS; index += 1) new Client();
const ticking = setInterval(tick, TICK_MS);
onOrders({
  begin: () => window.begin(),
  end: () => window.end(),
  report: () => say(report()),
  stop: () => {
    isOver = true;
    clearInterval(ticking);
  },
});
say(report());
