// Clients that count for themselves: each sends numbered messages, and follows what is acknowledged and pushed.
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { FrameReader, messageFrame, type Frame } from '../load/frames';
import { asked, say } from '../load/inside';
import { askForWebSocket } from '../load/websocket-client';
import { MESSAGE, type ClientsOptions, type ClientsOrder, type ClientsReport, type RoundReport } from './messages';
import { noFaults, Sequence } from './sequence';

/** Connections that are being opened at a time. */
const AT_ONCE = 64;
const SEND_MS = 5;
const OPCODE = { close: 8 } as const;
/** RFC 6455 section 7.1.5: the end came without a Close. */
const ABNORMAL = 1006;

const { host, port, connections, messagesPerSecond } = asked<ClientsOptions>();
const faults = noFaults();
const totals = { open: 0, sent: 0, acknowledged: 0, pushed: 0, strays: 0 };
const closed: Record<string, number> = {};

class Client {
  private readonly acknowledged = new Sequence(faults);
  private readonly pushed = new Sequence(faults);
  private sent = 0;
  /** What is not acknowledged yet; of `performance.now()`. */
  private readonly waiting: { readonly number: number; readonly sentMs: number }[] = [];
  private longestMs = 0;
  private closeCode = ABNORMAL;

  constructor(
    private readonly socket: Socket,
    early: Buffer,
  ) {
    totals.open += 1;
    const frames = new FrameReader((frame) => this.take(frame));
    socket.on('data', (bytes: Buffer) => frames.push(bytes));
    socket.on('error', () => undefined);
    socket.on('end', () => socket.end());
    socket.on('close', () => this.ended());
    frames.push(early);
  }

  send(): void {
    if (!this.socket.writable) return;
    this.sent += 1;
    totals.sent += 1;
    this.waiting.push({ number: this.sent, sentMs: performance.now() });
    this.socket.write(messageFrame(Buffer.from(`${MESSAGE.ofClient}${this.sent}`, 'latin1'), true));
  }

  /** Milliseconds since the last call. */
  takeLongest(nowMs: number): number {
    const [oldest] = this.waiting;
    const longest = Math.max(this.longestMs, oldest === undefined ? 0 : nowMs - oldest.sentMs);
    this.longestMs = 0;
    return longest;
  }

  private take({ opcode, payload }: Frame): void {
    if (opcode === OPCODE.close) this.closeCode = payload.length >= 2 ? payload.readUInt16BE(0) : ABNORMAL;
    else if (opcode > OPCODE.close) totals.strays += 1;
    if (opcode >= OPCODE.close) return;
    const number = Number(payload.toString('latin1', 1));
    if (payload[0] === MESSAGE.pushed.charCodeAt(0)) {
      totals.pushed += 1;
      this.pushed.take(number);
    } else this.acknowledge(number);
  }

  private acknowledge(number: number): void {
    totals.acknowledged += 1;
    this.acknowledged.take(number);
    const at = this.waiting.findIndex((each) => each.number === number);
    if (at < 0) return;
    const [{ sentMs } = { sentMs: 0 }] = this.waiting.splice(at, 1);
    this.longestMs = Math.max(this.longestMs, performance.now() - sentMs);
  }

  private ended(): void {
    totals.open -= 1;
    closed[this.closeCode] = (closed[this.closeCode] ?? 0) + 1;
  }
}

const clients: Client[] = [];
let left = connections;

async function openSome(): Promise<void> {
  while (left > 0) {
    left -= 1;
    const socket = connect({ host, port, noDelay: true });
    const { early } = await askForWebSocket(socket, '/numbers');
    clients.push(new Client(socket, early));
  }
}

/** In turn, so that each client sends as many. */
function startSending(): NodeJS.Timeout {
  let [due, next] = [0, 0];
  let lastMs = performance.now();
  return setInterval(() => {
    const nowMs = performance.now();
    due += ((nowMs - lastMs) / 1_000) * messagesPerSecond;
    lastMs = nowMs;
    for (; due >= 1; due -= 1) {
      clients[next]!.send();
      next = (next + 1) % clients.length;
    }
  }, SEND_MS);
}

let sending: NodeJS.Timeout | undefined;
function follow(order: ClientsOrder): ClientsReport | RoundReport {
  if (order === 'begin') sending = startSending();
  if (order === 'end') clearInterval(sending);
  if (order !== 'round') return { ...totals, closed, faults };
  const nowMs = performance.now();
  return { waitsMs: clients.map((client) => Math.round(10 * client.takeLongest(nowMs)) / 10) };
}

async function main(): Promise<void> {
  await Promise.all(Array.from({ length: AT_ONCE }, openSome));
  say({ open: totals.open });
  createInterface({ input: process.stdin })
    .on('line', (order) => say(follow(order as ClientsOrder)))
    .on('close', () => process.exit(0));
}

void main();
