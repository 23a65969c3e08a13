import { crc32 } from 'node:zlib';
import { ResponseReader } from '../../load/response-reader';
import { enter, type Door, type Entered } from '../proxy/door';
import { SILENCE_MS, type Outcome } from '../account/faults';

/** What came back for one request. */
export interface Reply {
  readonly status: number;
  readonly length: number;
  readonly sum: number;
  readonly text: string;
  /** The proxy says that it will close. */
  readonly closes: boolean;
  readonly hasRetryAfter: boolean;
}

export type Responded = { readonly reply: Reply } | { readonly outcome: 'unserved' | 'cut' | 'silent' | 'wrong' };

/** Of a response's text as much is kept as messages need. */
const TEXT_BYTES = 16 * 1024;

/** One client connection to the proxy, whose responses are asked for in the order of the requests. */
export class ClientConnection {
  readonly socket: Entered['socket'];
  readonly #entered: Entered;
  readonly #replies: Reply[] = [];
  #waiting: ((responded: Responded) => void) | undefined;
  #end: 'unserved' | 'cut' | 'wrong' | undefined;
  #isTold = false;

  constructor(door: Door) {
    this.#entered = enter(door);
    this.socket = this.#entered.socket;
    const part = { length: 0, sum: 0, text: '' };
    const responses = new ResponseReader({
      data: (bytes) => {
        part.length += bytes.length;
        part.sum = crc32(bytes, part.sum);
        if (part.text.length < TEXT_BYTES) part.text += bytes.toString('latin1', 0, TEXT_BYTES);
      },
      end: ({ status, fields }) => {
        this.#isTold ||= fields.get('connection') === 'close';
        this.#give({ ...part, status, closes: this.#isTold, hasRetryAfter: fields.has('retry-after') });
        Object.assign(part, { length: 0, sum: 0, text: '' });
      },
    });
    this.socket.on('data', (bytes) => this.#read(() => responses.push(bytes)));
    this.socket.on('end', () => void responses.finish());
    this.socket.on('close', () => this.#over(this.#isTold ? 'unserved' : 'cut'));
  }

  get isOver(): boolean {
    return this.#end !== undefined;
  }

  send(bytes: string | Buffer): void {
    this.socket.write(bytes);
  }

  /** The next response. */
  respond(): Promise<Responded> {
    const reply = this.#replies.shift();
    if (reply !== undefined) return Promise.resolve({ reply });
    if (this.#end !== undefined) return Promise.resolve({ outcome: this.#end });
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#settle({ outcome: 'silent' }), SILENCE_MS);
      this.#waiting = (responded) => {
        clearTimeout(timer);
        resolve(responded);
      };
    });
  }

  close(): void {
    this.socket.destroy();
  }

  reset(): void {
    this.#entered.reset();
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

  #over(end: 'unserved' | 'cut' | 'wrong'): void {
    this.#end ??= end;
    this.#settle({ outcome: this.#end });
  }

  #settle(responded: Responded): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.(responded);
  }
}

/** @param isRight whether a 200 is the response that was asked for */
export function findOutcome(responded: Responded, isRight: (reply: Reply) => boolean): Outcome {
  if ('outcome' in responded) return responded.outcome;
  const { status, hasRetryAfter } = responded.reply;
  if (status === 200) return isRight(responded.reply) ? 'right' : 'wrong';
  if (status === 503) return hasRetryAfter ? 'retryLater' : 'wrong';
  if (status === 502) return 'badGateway';
  return status === 504 ? 'gatewayTimeout' : 'wrong';
}
