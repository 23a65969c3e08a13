import { closeFrame, FrameReader, messageFrame, type Frame } from '../../load/frames';
import { askForWebSocket, HandshakeRejected } from '../../load/websocket-client';
import { pause } from '../../processes/ports';
import type { ClientSetup } from './client';
import { enter, type Door, type Entered } from '../proxy/door';
import { formatPath, buildPattern, SILENCE_MS, type Outcome } from '../account/faults';

const SIZES = [0, 1, 64, 125, 126, 4096, 60_000];
const OPCODE_CLOSE = 8;
const NORMAL_CLOSE = 1000;
const SERVICE_RESTART = 1012;
/** More messages than any client here sends. */
const NEVER_RESETS = 1_000_000;

type Heard = { readonly frame: Frame } | { readonly outcome: 'cut' | 'silent' | 'wrong' };

/** Talks with the echo, then closes in order, resets, or is reset by the upstream. */
export async function talk(cloud: ClientSetup): Promise<void> {
  const { chance } = cloud;
  const resetsAfter = chance.share() < 0.2 ? chance.between(1, 10) : NEVER_RESETS;
  const line = await openLine(cloud, resetsAfter);
  if (line === undefined) return;
  for (let index = 0, count = chance.between(1, 60); index < count && cloud.goesOn(); index += 1) {
    const isCutDue = index >= resetsAfter;
    if (!(await echoOne(cloud, line, isCutDue))) return line.close();
    await pause(chance.between(0, 40));
  }
  if (chance.share() < 0.3) {
    line.reset();
    return cloud.account.count('client resets a WebSocket');
  }
  await closeInOrder(cloud, line);
}

async function openLine({ account, door }: ClientSetup, resetsAfter: number): Promise<Line | undefined> {
  const sentMs = performance.now();
  try {
    const line = await Line.open(door, formatPath.webSocket(resetsAfter));
    account.settle('WebSocket handshake', 'right', ['right'], sentMs);
    return line;
  } catch (error) {
    account.settle('WebSocket handshake', outcomeOfRejection(error), ['right'], sentMs);
    return undefined;
  }
}

function outcomeOfRejection(error: unknown): Outcome {
  if (!(error instanceof HandshakeRejected)) return 'cut';
  const status = / (\d{3})/.exec(error.head)?.[1];
  if (status === '503') return /^retry-after:/im.test(error.head) ? 'retryLater' : 'wrong';
  return status === '502' ? 'badGateway' : status === '504' ? 'gatewayTimeout' : 'wrong';
}

/**
 * Stays until the proxy sends it away, as a drain does: by Close 1012, between two messages, and what it had sent before
 * got a response, or it knows that it was not.
 *
 * @param asksEveryMs undefined: it only listens
 */
export async function staySeated(cloud: ClientSetup, asksEveryMs: number | undefined): Promise<void> {
  const line = await openLine(cloud, NEVER_RESETS);
  if (line === undefined) return;
  const sentMs = performance.now();
  for (;;) {
    const payload = buildPattern(cloud.nextId(), cloud.chance.of(SIZES));
    const expected = Buffer.from(payload);
    if (asksEveryMs !== undefined) line.socket.write(messageFrame(payload, true));
    const heard = await line.hear();
    const isClose = 'frame' in heard && heard.frame.opcode === OPCODE_CLOSE;
    const isEcho = (frame: Frame) => asksEveryMs !== undefined && frame.payload.equals(expected);
    const outcome = findOutcome(heard, isClose ? isServiceRestart : isEcho);
    const what = isClose || outcome !== 'right' ? 'WebSocket sent away' : 'WebSocket message in a drain';
    cloud.account.settle(what, outcome, ['right'], sentMs);
    if (isClose) line.socket.end(closeFrame(SERVICE_RESTART, true));
    if (isClose || outcome !== 'right') return isClose ? undefined : line.close();
    await pause(asksEveryMs ?? 0);
  }
}

function isServiceRestart({ payload }: Frame): boolean {
  return payload.length >= 2 && payload.readUInt16BE() === SERVICE_RESTART;
}

/** @returns whether the connection lives */
async function echoOne(cloud: ClientSetup, line: Line, isCutDue: boolean): Promise<boolean> {
  const payload = buildPattern(cloud.nextId(), cloud.chance.of(SIZES));
  const expected = Buffer.from(payload);
  const sentMs = performance.now();
  line.socket.write(messageFrame(payload, true));
  const heard = await line.hear();
  const outcome = findOutcome(heard, ({ payload: echoed }) => echoed.equals(expected));
  const what = isCutDue ? 'WebSocket message to an upstream that resets' : 'WebSocket message';
  cloud.account.settle(what, outcome, [isCutDue ? 'cut' : 'right'], sentMs);
  return 'frame' in heard;
}

async function closeInOrder({ account }: ClientSetup, line: Line): Promise<void> {
  const sentMs = performance.now();
  line.socket.write(closeFrame(NORMAL_CLOSE, true));
  const outcome = findOutcome(await line.hear(), ({ opcode }) => opcode === OPCODE_CLOSE);
  account.settle('WebSocket close', outcome, ['right'], sentMs);
  line.close();
}

function findOutcome(heard: Heard, isRight: (frame: Frame) => boolean): Outcome {
  if ('outcome' in heard) return heard.outcome;
  return isRight(heard.frame) ? 'right' : 'wrong';
}

/** An open WebSocket whose frames are asked for one by one. */
class Line {
  readonly socket;
  readonly #entered: Entered;
  readonly #frames: Frame[] = [];
  #isOver = false;
  #waiting: ((heard: Heard) => void) | undefined;

  private constructor(entered: Entered, early: Buffer) {
    this.#entered = entered;
    this.socket = entered.socket;
    const reader = new FrameReader((frame) => {
      const copy = { ...frame, payload: Buffer.from(frame.payload) };
      if (this.#waiting) this.#settle({ frame: copy });
      else this.#frames.push(copy);
    });
    this.socket.on('data', (bytes: Buffer) => reader.push(bytes));
    this.socket.on('close', () => {
      this.#isOver = true;
      this.#settle({ outcome: 'cut' });
    });
    if (early.length > 0) reader.push(early);
  }

  static async open(door: Door, path: string): Promise<Line> {
    const entered = enter(door);
    return new Line(entered, (await askForWebSocket(entered.socket, path)).early);
  }

  close(): void {
    this.socket.destroy();
  }

  reset(): void {
    this.#entered.reset();
  }

  hear(): Promise<Heard> {
    const frame = this.#frames.shift();
    if (frame !== undefined) return Promise.resolve({ frame });
    if (this.#isOver) return Promise.resolve({ outcome: 'cut' });
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#settle({ outcome: 'silent' }), SILENCE_MS);
      this.#waiting = (heard) => {
        clearTimeout(timer);
        resolve(heard);
      };
    });
  }

  #settle(heard: Heard): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.(heard);
  }
}
