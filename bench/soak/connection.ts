import { connect, type Socket } from 'node:net';
import { crc32 } from 'node:zlib';
import { AnswerReader } from '../load/answer-reader.ts';
import { HOST } from '../processes/ports.ts';
import { SILENCE_MS, type Outcome } from './faults.ts';

/** What came back for one request. */
export interface Reply {
  readonly status: number;
  readonly length: number;
  readonly sum: number;
  readonly text: string;
  /** The proxy says that it will close. */
  readonly closes: boolean;
}

export type Answered = { readonly reply: Reply } | { readonly outcome: 'cut' | 'silent' | 'wrong' };

/** Of an answer's text as much is kept as messages need. */
const TEXT_BYTES = 16 * 1024;

/** One client connection to the proxy, whose answers are asked for in the order of the requests. */
export class ClientConnection {
  readonly socket: Socket;
  readonly #replies: Reply[] = [];
  #waiting: ((answered: Answered) => void) | undefined;
  #end: 'cut' | 'wrong' | undefined;

  constructor(port: number) {
    this.socket = connect({ host: HOST, port, noDelay: true });
    const part = { length: 0, sum: 0, text: '' };
    const answers = new AnswerReader({
      data: (bytes) => {
        part.length += bytes.length;
        part.sum = crc32(bytes, part.sum);
        if (part.text.length < TEXT_BYTES) part.text += bytes.toString('latin1', 0, TEXT_BYTES);
      },
      end: ({ status, fields }) => {
        this.#give({ ...part, status, closes: fields.get('connection') === 'close' });
        Object.assign(part, { length: 0, sum: 0, text: '' });
      },
    });
    this.socket.on('data', (bytes) => this.#read(() => answers.push(bytes)));
    this.socket.on('end', () => void answers.finish());
    this.socket.on('error', () => undefined);
    this.socket.on('close', () => this.#over('cut'));
  }

  get isOver(): boolean {
    return this.#end !== undefined;
  }

  send(bytes: string | Buffer): void {
    this.socket.write(bytes);
  }

  /** The next answer. */
  answer(): Promise<Answered> {
    const reply = this.#replies.shift();
    if (reply !== undefined) return Promise.resolve({ reply });
    if (this.#end !== undefined) return Promise.resolve({ outcome: this.#end });
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#settle({ outcome: 'silent' }), SILENCE_MS);
      this.#waiting = (answered) => {
        clearTimeout(timer);
        resolve(answered);
      };
    });
  }

  close(): void {
    this.socket.destroy();
  }

  #read(push: () => void): void {
    try {
      push();
    } catch {
      this.#over('wrong');
      this.socket.destroy();
    }
  }

  #give(reply: Reply): void {
    if (this.#waiting === undefined) this.#replies.push(reply);
    else this.#settle({ reply });
  }

  #over(end: 'cut' | 'wrong'): void {
    this.#end ??= end;
    this.#settle({ outcome: this.#end });
  }

  #settle(answered: Answered): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.(answered);
  }
}

/** @param isRight whether a 200 is the answer that was asked for */
export function outcomeOf(answered: Answered, isRight: (reply: Reply) => boolean): Outcome {
  if ('outcome' in answered) return answered.outcome;
  const { status } = answered.reply;
  if (status === 200) return isRight(answered.reply) ? 'right' : 'wrong';
  if (status === 502 || status === 503) return 'badGateway';
  return status === 504 ? 'gatewayTimeout' : 'wrong';
}
