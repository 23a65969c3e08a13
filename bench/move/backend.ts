// A backend whose sessions go on in another one: it acknowledges numbered messages a little later than they come, and pushes numbered
// ones of its own. A session goes to the other backend when its connection has ended.
import { createServer, type IncomingMessage } from 'node:http';
import { connect, createServer as createUnixServer, type AddressInfo, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import type { Duplex } from 'node:stream';
import { WebSocket, WebSocketServer } from 'ws';
import { asked, say } from '../load/inside';
import { MESSAGE, type BackendOptions, type BackendReport, type Session } from './messages';
import { noFaults, Sequence } from './sequence';

/** An application computes for a moment: at its end all that was received has its acknowledgement. */
const ACKNOWLEDGE_MS = 5;
const PUSH_MS = 10;
/** For so long a handshake waits for its session. */
const SESSION_MS = 4_000;

const { host, sessionsFrom, sessionsTo, pushesPerSecond } = asked<BackendOptions>();
const faults = noFaults();
const totals = { received: 0, pushed: 0, resumed: 0, notFound: 0 };

class Served {
  pushed: number;
  readonly received: Sequence;
  unacknowledged: number[];

  constructor(
    private readonly webSocket: WebSocket,
    private readonly token: string,
    session: Session | undefined,
  ) {
    this.pushed = session?.pushed ?? 0;
    this.received = session === undefined ? new Sequence(faults) : Sequence.unpack(session.received, faults);
    this.unacknowledged = [...(session?.unacknowledged ?? [])];
    webSocket.on('message', (bytes: Buffer) => this.take(Number(bytes.toString('latin1', 1))));
    webSocket.on('error', () => webSocket.terminate());
    webSocket.on('close', () => this.handOver());
    live.add(this);
    if (this.unacknowledged.length > 0) waiting.add(this);
  }

  private take(number: number): void {
    totals.received += 1;
    this.received.take(number);
    this.unacknowledged.push(number);
    waiting.add(this);
  }

  acknowledge(): void {
    // What can be said no more belongs to the session.
    if (this.webSocket.readyState !== WebSocket.OPEN) return;
    for (const number of this.unacknowledged) this.webSocket.send(`${MESSAGE.acknowledged}${number}`);
    this.unacknowledged = [];
  }

  push(): void {
    if (this.webSocket.readyState !== WebSocket.OPEN) return;
    this.pushed += 1;
    totals.pushed += 1;
    this.webSocket.send(`${MESSAGE.pushed}${this.pushed}`);
  }

  private handOver(): void {
    live.delete(this);
    waiting.delete(this);
    const { token, pushed, unacknowledged } = this;
    const session: Session = { token, received: this.received.pack(), pushed, unacknowledged };
    giveTo.write(`${JSON.stringify(session)}\n`);
  }
}

const live = new Set<Served>();
const waiting = new Set<Served>();
/** Sessions that came before their handshakes, and handshakes that came before their sessions, by token. */
const sessions = new Map<string, Session>();
const wanted = new Map<string, (session: Session) => void>();

function takeSession(token: string): Promise<Session | undefined> {
  const session = sessions.get(token);
  sessions.delete(token);
  if (session !== undefined) return Promise.resolve(session);
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      wanted.delete(token);
      resolve(undefined);
    }, SESSION_MS);
    wanted.set(token, (given) => {
      clearTimeout(timer);
      resolve(given);
    });
  });
}

function sessionCame(session: Session): void {
  const { token } = session;
  const take = wanted.get(token);
  if (take === undefined) return void sessions.set(token, session);
  wanted.delete(token);
  take(session);
}

const webSockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });
webSockets.on('headers', (headers: string[], request: IncomingMessage) => {
  const offered = request.headers['x-drainshift-resume-token'];
  if (typeof offered === 'string') headers.push(`X-Drainshift-Resume-Token: ${offered}`);
});

async function upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
  socket.on('error', () => socket.destroy());
  const resumed = request.headers['x-drainshift-resume'];
  const token = String(resumed ?? request.headers['x-drainshift-resume-token']);
  const session = resumed === undefined ? undefined : await takeSession(token);
  if (resumed !== undefined && session === undefined) {
    totals.notFound += 1;
    return void socket.end('HTTP/1.1 409 Conflict\r\nConnection: close\r\n\r\n');
  }
  if (session !== undefined) totals.resumed += 1;
  webSockets.handleUpgrade(request, socket, head, (webSocket) => new Served(webSocket, token, session));
}

/** In turn, so that each client gets as many. */
function startPushing(): void {
  let turn = live.values();
  let due = 0;
  let lastMs = performance.now();
  setInterval(() => {
    const nowMs = performance.now();
    due += ((nowMs - lastMs) / 1_000) * pushesPerSecond;
    lastMs = nowMs;
    for (; due >= 1 && live.size > 0; due -= 1) {
      let next = turn.next();
      if (next.done === true) next = (turn = live.values()).next();
      next.value?.push();
    }
    due = Math.min(due, 1);
  }, PUSH_MS);
}

const report = (): BackendReport => ({ ...totals, faults, clients: live.size });

/** The other backend may not be there yet. */
async function connectTo(path: string): Promise<Socket> {
  for (;;) {
    const socket = connect(path);
    const isThere = await new Promise<boolean>((resolve) =>
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false)),
    );
    if (isThere) return socket;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

let giveTo: Socket;
async function main(): Promise<void> {
  createUnixServer((socket) =>
    createInterface({ input: socket }).on('line', (line) => sessionCame(JSON.parse(line) as Session)),
  ).listen(sessionsFrom);
  giveTo = await connectTo(sessionsTo);
  const server = createServer((_, response) => response.end('here\n'));
  server.on('upgrade', (request, socket, head) => void upgrade(request, socket, head));
  server.listen({ host, port: 0, backlog: 4_096 }, () => say({ port: (server.address() as AddressInfo).port }));
  setInterval(() => {
    for (const served of waiting) served.acknowledge();
    waiting.clear();
  }, ACKNOWLEDGE_MS);
  startPushing();
  createInterface({ input: process.stdin })
    .on('line', () => say(report()))
    .on('close', () => process.exit(0));
}

void main();
