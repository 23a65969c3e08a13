// WebSockets that each send a numbered message at a fixed rate and expect it back, in a process of their own: what is lost, doubled,
// out of order or closed is seen here, and nowhere else.
import type { Socket } from 'node:net';
import { FrameReader } from '../load/frames';
import { asked, say } from '../load/inside';
import { openWebSocket } from '../load/websocket-client';
import type { SocketsOrder, SocketsReport } from './messages';
import { onOrders } from './orders';
import { Window } from './window';

const OPCODE_BINARY = 2;
const OPCODE_CLOSE = 8;
const OPCODE_PING = 9;
/** A masked message of eight bytes; the key is zero. */
const HEAD = '\x82\x88\0\0\0\0';
const PAYLOAD_BYTES = 8;
const AT_ONCE = 64;
const TICK_MS = 5;
const TIMELINE_MS = 100;

const { ports, isTls, connections, perSecond } = asked<SocketsOrder>();
const periodMs = 1000 / perSecond;
const window = new Window();
const counts = { closed: 0, closeFrames: 0, sent: 0, received: 0, lost: 0, doubled: 0, outOfOrder: 0, foreign: 0 };
let timeline: (readonly [number, number])[] = [];
let startMs = 0;

class Connection {
  sent = 0;
  /** The number of the last message that came back. */
  received = 0;
  isOpen = true;
  readonly #socket: Socket;
  readonly #index: number;
  readonly #prefix: string;

  constructor(socket: Socket, early: Buffer, index: number) {
    this.#socket = socket;
    this.#index = index;
    this.#prefix = HEAD + latin1(index);
    const frames = new FrameReader(({ opcode, payload }) => this.#take(opcode, payload));
    socket.on('data', (bytes) => frames.push(bytes));
    socket.on('error', () => undefined);
    socket.on('close', () => this.#end());
    if (early.length > 0) frames.push(early);
  }

  get waiting(): number {
    return this.sent - this.received;
  }

  /** @param number the same in latin1 */
  send(text: string): void {
    this.sent += 1;
    counts.sent += 1;
    this.#socket.write(this.#prefix + text, 'latin1');
  }

  due(number: number): number {
    return findDueMs(this.#index + (number - 1) * connections);
  }

  #take(opcode: number, payload: Buffer): void {
    if (opcode === OPCODE_CLOSE) return void (counts.closeFrames += 1);
    if (opcode === OPCODE_PING) return;
    const isOurs = opcode === OPCODE_BINARY && payload.length === PAYLOAD_BYTES;
    if (!isOurs || payload.readUInt32BE(0) !== this.#index) return void (counts.foreign += 1);
    this.#count(payload.readUInt32BE(4));
  }

  #count(number: number): void {
    if (number > this.sent) return void (counts.foreign += 1);
    if (number === this.received) return void (counts.doubled += 1);
    if (number < this.received) return void (counts.outOfOrder += 1);
    // The order is kept on a connection: what was left out does not come any more.
    counts.lost += number - this.received - 1;
    counts.received += 1;
    this.received = number;
    window.add(this.due(number), performance.now());
  }

  #end(): void {
    this.isOpen = false;
    counts.closed += 1;
    counts.lost += this.waiting;
    this.received = this.sent;
  }
}

const all: Connection[] = [];

/** Of the messages of all connections together, in their order: they are spread evenly over the period. */
function findDueMs(position: number): number {
  return startMs + (position * periodMs) / connections;
}

function latin1(value: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes.toString('latin1');
}

async function openAll(): Promise<void> {
  let next = 0;
  const openSome = async () => {
    for (let index = next++; index < connections; index = next++) {
      const { socket, early } = await openWebSocket(ports[index % ports.length]!, '/echo', isTls);
      all[index] = new Connection(socket, early, index);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, openSome));
}

let position = 0;
function tick(): void {
  const nowMs = performance.now();
  for (; findDueMs(position) <= nowMs; position += 1) {
    const connection = all[position % connections]!;
    if (connection.isOpen) connection.send(latin1(Math.floor(position / connections) + 1));
  }
}

function look(): void {
  const { ageMs } = window;
  if (ageMs !== undefined) timeline.push([Math.round(ageMs), connections - counts.closed]);
}

function report(): SocketsReport {
  const open = all.filter(({ isOpen }) => isOpen);
  const due = open.flatMap((one) =>
    Array.from({ length: one.waiting }, (_, index) => one.due(one.received + 1 + index)),
  );
  const stall = window.summarize(due);
  return { ...counts, open: open.length, waiting: due.length, stall, timeline };
}

let ticking: NodeJS.Timeout | undefined;
onOrders({
  begin: () => {
    timeline = [];
    window.begin();
    look();
  },
  end: () => window.end(),
  report: () => say(report()),
  stop: () => clearInterval(ticking),
});
openAll().then(
  () => {
    startMs = performance.now();
    ticking = setInterval(tick, TICK_MS);
    setInterval(look, TIMELINE_MS);
    say(report());
  },
  (error: unknown) => {
    process.stderr.write(`${String(error)}\n`);
    process.exit(1);
  },
);
