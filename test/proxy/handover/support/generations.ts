import { ChildProcess, fork } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { buildSync } from 'esbuild';
import { ClientOptions, ServerOptions, WebSocket, WebSocketServer } from 'ws';
import type { HandOverFigures } from '../../../../proxy/handover/hand-over';
import type { CertificatePair } from '../../../../proxy/data-plane/tls13/tls13-check';
import type { HandoverAddress } from '../../../../proxy/handover/messages';
import type { EndingCounts, KindCounts, ByKind } from '../../../../core/proxy/connections';
import type { ByteCounts } from '../../../../proxy/data-plane/contract/ledger';
import { later } from '../../support/world';
import type { ToGeneration } from './generation';

export interface GenerationReport {
  readonly active: KindCounts;
  readonly ended: ByKind<EndingCounts>;
  readonly bytes: ByKind<ByteCounts>;
  readonly oldestMs: KindCounts;
  readonly figures?: HandOverFigures;
  readonly settled: number;
  readonly rssBytes: number;
  readonly pumped: number;
  /** Other processes of a hand-over that are gone, with what they had sent worked off. */
  readonly ends: number;
  readonly lines: readonly { readonly message: string }[];
}

const EVENT_MS = 7;

export type GenerationOptions = Pick<Extract<ToGeneration, { do: 'serve' }>, 'isUntried' | 'isUpstreamTls'>;

/** Made once a test file. */
export function bundleGeneration(): {
  start(upstreamPort?: number, tls?: CertificatePair, how?: GenerationOptions): Promise<Generation>;
  remove(): void;
} {
  const folder = mkdtempSync(path.join(tmpdir(), 'drainshift-generation-'));
  const bundle = path.join(folder, 'generation.js');
  buildSync({
    entryPoints: [path.join(__dirname, 'generation.ts')],
    bundle: true,
    platform: 'node',
    target: 'node24',
    outfile: bundle,
  });
  return {
    start: (upstreamPort, tls, how) => Generation.start(bundle, upstreamPort, tls, how),
    remove: () => rmSync(folder, { recursive: true }),
  };
}

export class Generation {
  port = 0;
  readonly exit: Promise<void>;
  private lastId = 0;
  private readonly pending = new Map<number, { resolve(value: never): void; reject(error: Error): void }>();

  private constructor(
    readonly child: ChildProcess,
    private readonly bundle: string,
  ) {
    child.on('message', ({ id, value, error }: { id: number; value: never; error?: string }) => {
      const call = this.pending.get(id);
      this.pending.delete(id);
      if (error === undefined) call?.resolve(value);
      else call?.reject(new Error(error));
    });
    this.exit = new Promise((resolve) => child.once('exit', () => resolve()));
    void this.exit.then(() => {
      for (const { reject } of this.pending.values()) reject(new Error('It has ended'));
      this.pending.clear();
    });
  }

  static async start(
    bundle: string,
    upstreamPort?: number,
    tls?: CertificatePair,
    how: GenerationOptions = {},
  ): Promise<Generation> {
    const child = fork(bundle, tls === undefined ? [] : [JSON.stringify(tls)], {
      serialization: 'advanced',
      execArgv: ['--no-deprecation'],
    });
    later(() => void child.kill('SIGKILL'));
    const generation = new Generation(child, bundle);
    if (upstreamPort !== undefined)
      generation.port = (await generation.call<{ port: number }>({ do: 'serve', upstreamPort, ...how })).port;
    return generation;
  }

  call<T>(order: ToGeneration): Promise<T> {
    const id = (this.lastId += 1);
    return new Promise<T>((resolve, reject) => {
      this.pending.set(id, { resolve, reject });
      this.child.send({ id, order }, (error) => error && reject(error));
    });
  }

  receive(): Promise<HandoverAddress> {
    return this.call({ do: 'receive' });
  }

  handOver(...addresses: HandoverAddress[]): Promise<HandOverFigures | undefined> {
    return this.call({ do: 'handOver', addresses });
  }

  report(): Promise<GenerationReport> {
    return this.call({ do: 'report' });
  }

  /** How many connections it had offered when it killed itself, by its own count: at least these have left. */
  get offersLeft(): number {
    return Number(readFileSync(`${this.bundle}.${this.child.pid}`, 'utf8'));
  }

  kill(): Promise<void> {
    this.child.kill('SIGKILL');
    return this.exit;
  }
}

/** Echoes each message of a WebSocket, and responds to requests with what they are; to `/events` with numbered events. */
export async function startEcho(
  options: Pick<ServerOptions, 'perMessageDeflate'> = {},
): Promise<{ port: number; sockets: Set<WebSocket> }> {
  const server = http.createServer((request, response) => {
    if (request.url?.startsWith('/events')) return sendEvents(response);
    const chunks: Buffer[] = [];
    request.on('data', (bytes: Buffer) => chunks.push(bytes));
    request.on('end', () => response.end(`${request.method} ${request.url} ${Buffer.concat(chunks).toString()}`));
  });
  const sockets = new Set<WebSocket>();
  const echo = new WebSocketServer({ server, ...options });
  echo.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('message', (bytes, isBinary) => socket.send(bytes, { binary: isBinary }));
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
  });
  const tcp = new Set<Socket>();
  server.on('connection', (socket) => {
    tcp.add(socket);
    socket.on('close', () => tcp.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  later(() => {
    server.close();
    for (const socket of tcp) socket.destroy();
  });
  return { port: (server.address() as AddressInfo).port, sockets };
}

/** A number every few milliseconds, in two pieces that are no lines. */
function sendEvents(response: http.ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'access-control-allow-origin': '*' });
  let number = 0;
  const timer = setInterval(() => {
    number += 1;
    response.write(`id: ${number}\nda`);
    response.write(`ta: ${number}\n\n`);
  }, EVENT_MS);
  response.on('close', () => clearInterval(timer));
}

/** Reads numbered events, and counts those that come in their turn. */
export class Listener {
  received = 0;
  wrong = 0;
  isClosed = false;

  private constructor(readonly response: http.IncomingMessage) {
    let text = '';
    response.on('data', (bytes: Buffer) => {
      const events = (text + bytes.toString()).split('\n\n');
      text = events.pop()!;
      for (const event of events) {
        this.received += 1;
        if (event !== `id: ${this.received}\ndata: ${this.received}`) this.wrong += 1;
      }
    });
    response.on('close', () => (this.isClosed = true));
    response.on('error', () => undefined);
    later(() => void response.destroy());
  }

  static open(port: number, isTls = false, maxVersion?: 'TLSv1.2'): Promise<Listener> {
    return new Promise((resolve, reject) => {
      const options = { host: '127.0.0.1', port, path: '/events', agent: false, rejectUnauthorized: false, maxVersion };
      (isTls ? https : http).get(options, (response) => resolve(new Listener(response))).on('error', reject);
    });
  }
}

/** `isTls`: over TLS, whose certificate is not looked at. */
export interface CounterOptions extends Pick<
  ClientOptions,
  'perMessageDeflate' | 'maxVersion' | 'ciphers' | 'createConnection'
> {
  readonly isTls?: boolean;
}

/** Sends numbers and counts those that come back. */
export class Counter {
  sent = 0;
  received = 0;
  /** What came that was not the next number. */
  wrong = 0;
  isClosed = false;
  /** Of its Close. */
  code: number | undefined;
  /** The longest time between a number and its echo. */
  longestMs = 0;
  private readonly sentMs: number[] = [];
  private timer: NodeJS.Timeout | undefined;

  private constructor(readonly socket: WebSocket) {
    socket.on('message', (bytes: Buffer) => {
      this.received += 1;
      if (Number(bytes.toString().split(' ')[0]) !== this.received) this.wrong += 1;
      this.longestMs = Math.max(this.longestMs, performance.now() - this.sentMs[this.received]!);
    });
    socket.on('close', (code) => {
      this.isClosed = true;
      this.code = code;
    });
    socket.on('error', () => undefined);
    later(() => {
      clearInterval(this.timer);
      socket.terminate();
    });
  }

  static open(port: number, { isTls = false, ...options }: CounterOptions = {}): Promise<Counter> {
    const url = `${isTls ? 'wss' : 'ws'}://127.0.0.1:${port}/chat?room=1`;
    const socket = new WebSocket(url, { perMessageDeflate: false, rejectUnauthorized: false, ...options });
    const counter = new Counter(socket);
    return new Promise((resolve, reject) => {
      socket.once('open', () => resolve(counter));
      socket.once('error', reject);
    });
  }

  /** @param more bytes of each message beside its number */
  say(more = 0): void {
    this.sent += 1;
    this.sentMs[this.sent] = performance.now();
    this.socket.send(`${this.sent} ${'x'.repeat(more)}`);
  }

  sayEvery(ms: number, more = 0): void {
    this.timer = setInterval(() => this.say(more), ms);
  }

  stop(): void {
    clearInterval(this.timer);
  }

  get isWhole(): boolean {
    return this.received === this.sent && this.wrong === 0 && !this.isClosed;
  }
}
