// Requests at a fixed rate, whether or not the responses keep up. The latency of each counts from the moment it was meant to
// be sent, so that a proxy that stops for a while is charged for all that had to wait (no coordinated omission).
import { connect, type Socket } from 'node:net';
import { HOST } from '../processes/ports';
import { ResponseReader } from './response-reader';
import { asked, quantile, say, whenParentEnds } from './inside';

export interface FixedRateLoad {
  readonly port: number;
  readonly path: string;
  /** Of the body of a POST. @default - a GET */
  readonly bodyBytes?: number;
  /** Requests per second. */
  readonly rate: number;
  readonly connections: number;
  readonly warmupSeconds: number;
  readonly seconds: number;
}

/** A nap between two looks at the sockets: it leaves the core to the upstream, and is the floor of what can be measured. */
const NAP_MS = 0.05;
/** What has no response this long after the end is counted as that late. */
const GRACE_MS = 1000;

const load = asked<FixedRateLoad>();
const request =
  load.bodyBytes === undefined
    ? `GET ${load.path} HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`
    : `POST ${load.path} HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: ${load.bodyBytes}\r\n\r\n${'x'.repeat(load.bodyBytes)}`;
const gapMs = 1000 / load.rate;
const alarm = new Int32Array(new SharedArrayBuffer(4));

const free: Connection[] = [];
/** Moments at which a request was meant to be sent, and no connection was free. */
const waiting: number[] = [];
let waitingFrom = 0;
const busy = new Set<Connection>();
const latencies: number[] = [];
let errors = 0;

class Connection {
  readonly #socket: Socket;
  intendedMs = 0;

  constructor(isConnected: () => void) {
    const responses = new ResponseReader({ end: ({ status }) => this.#responded(status) });
    this.#socket = connect({ host: HOST, port: load.port, noDelay: true }, isConnected);
    this.#socket.on('data', (bytes) => responses.push(bytes));
    this.#socket.on('error', () => (errors += 1));
  }

  send(intendedMs: number): void {
    this.intendedMs = intendedMs;
    busy.add(this);
    this.#socket.write(request);
  }

  #responded(status: number): void {
    busy.delete(this);
    free.push(this);
    if (status !== 200) errors += 1;
    if (this.intendedMs >= measuredFromMs) latencies.push(performance.now() - this.intendedMs);
  }
}

let measuredFromMs = Infinity;
let endMs = Infinity;
let nextMs = 0;
let hasStarted = false;

async function main(): Promise<void> {
  const connected = Array.from({ length: load.connections }, () => {
    return new Promise<void>((resolve) => free.push(new Connection(resolve)));
  });
  await Promise.all(connected);
  nextMs = performance.now();
  measuredFromMs = nextMs + load.warmupSeconds * 1000;
  endMs = measuredFromMs + load.seconds * 1000;
  turn();
}

function turn(): void {
  const nowMs = performance.now();
  if (!hasStarted && nowMs >= measuredFromMs) {
    hasStarted = true;
    say({ at: 'begin' });
  }
  for (; nextMs <= nowMs && nextMs < endMs; nextMs += gapMs) waiting.push(nextMs);
  while (waitingFrom < waiting.length && free.length > 0) free.pop()!.send(waiting[waitingFrom++]!);
  if (nowMs >= endMs && (nowMs >= endMs + GRACE_MS || (busy.size === 0 && waitingFrom === waiting.length)))
    return report();
  Atomics.wait(alarm, 0, 0, NAP_MS);
  setImmediate(turn);
}

function report(): void {
  const nowMs = performance.now();
  const responded = latencies.length;
  const unanswered = [...[...busy].map(({ intendedMs }) => intendedMs), ...waiting.slice(waitingFrom)];
  for (const intendedMs of unanswered) if (intendedMs >= measuredFromMs) latencies.push(nowMs - intendedMs);
  const sorted = Float64Array.from(latencies).sort();
  const seconds = Math.max(load.seconds, (nowMs - measuredFromMs) / 1000);
  say({
    at: 'end',
    result: { requests: responded, errors, seconds, p50Ms: quantile(sorted, 0.5), p99Ms: quantile(sorted, 0.99) },
  });
}

whenParentEnds();
void main();
