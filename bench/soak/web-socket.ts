import { closeFrame, FrameReader, messageFrame, type Frame } from '../load/frames.ts';
import { openWebSocket } from '../load/websocket-client.ts';
import { pause } from '../processes/ports.ts';
import type { ClientWorld } from './client.ts';
import { pathOf, patternOf, SILENCE_MS, type Outcome } from './faults.ts';

const SIZES = [0, 1, 64, 125, 126, 4096, 60_000];
const OPCODE_CLOSE = 8;
const NORMAL_CLOSE = 1000;
/** More messages than any client here sends. */
const NEVER_RESETS = 1_000_000;

type Heard = { readonly frame: Frame } | { readonly outcome: 'cut' | 'silent' | 'wrong' };

/** Talks with the echo, then closes in order, resets, or is reset by the upstream. */
export async function talk(world: ClientWorld): Promise<void> {
  const { account, chance } = world;
  const resetsAfter = chance.share() < 0.2 ? chance.between(1, 10) : NEVER_RESETS;
  const sentMs = performance.now();
  const line = await Line.open(world.port, pathOf.webSocket(resetsAfter)).catch(() => undefined);
  account.settle('WebSocket handshake', line === undefined ? 'cut' : 'right', ['right'], sentMs);
  if (line === undefined) return;
  for (let index = 0, count = chance.between(1, 60); index < count && world.goesOn(); index += 1) {
    const isCutDue = index >= resetsAfter;
    if (!(await echoOne(world, line, isCutDue))) return line.socket.destroy() && undefined;
    await pause(chance.between(0, 40));
  }
  if (chance.share() < 0.3) {
    line.socket.resetAndDestroy();
    return account.count('client resets a WebSocket');
  }
  await closeInOrder(world, line);
}

/** @returns whether the connection lives */
async function echoOne(world: ClientWorld, line: Line, isCutDue: boolean): Promise<boolean> {
  const payload = patternOf(world.nextId(), world.chance.of(SIZES));
  const expected = Buffer.from(payload);
  const sentMs = performance.now();
  line.socket.write(messageFrame(payload, true));
  const heard = await line.hear();
  const outcome = outcomeOf(heard, ({ payload: echoed }) => echoed.equals(expected));
  const what = isCutDue ? 'WebSocket message to an upstream that resets' : 'WebSocket message';
  world.account.settle(what, outcome, [isCutDue ? 'cut' : 'right'], sentMs);
  return 'frame' in heard;
}

async function closeInOrder({ account }: ClientWorld, line: Line): Promise<void> {
  const sentMs = performance.now();
  line.socket.write(closeFrame(NORMAL_CLOSE, true));
  const outcome = outcomeOf(await line.hear(), ({ opcode }) => opcode === OPCODE_CLOSE);
  account.settle('WebSocket close', outcome, ['right'], sentMs);
  line.socket.destroy();
}

function outcomeOf(heard: Heard, isRight: (frame: Frame) => boolean): Outcome {
  if ('outcome' in heard) return heard.outcome;
  return isRight(heard.frame) ? 'right' : 'wrong';
}

/** An open WebSocket whose frames are asked for one by one. */
class Line {
  readonly socket;
  readonly #frames: Frame[] = [];
  #isOver = false;
  #waiting: ((heard: Heard) => void) | undefined;

  private constructor({ socket, early }: Awaited<ReturnType<typeof openWebSocket>>) {
    this.socket = socket;
    const reader = new FrameReader((frame) => {
      const copy = { ...frame, payload: Buffer.from(frame.payload) };
      if (this.#waiting) this.#settle({ frame: copy });
      else this.#frames.push(copy);
    });
    socket.on('data', (bytes: Buffer) => reader.push(bytes));
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#isOver = true;
      this.#settle({ outcome: 'cut' });
    });
    if (early.length > 0) reader.push(early);
  }

  static async open(port: number, path: string): Promise<Line> {
    return new Line(await openWebSocket(port, path));
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
