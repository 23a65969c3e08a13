import net, { type Socket } from 'node:net';
import { later } from '../../../support/world';
import { Ending, Message, readMessage, listValues } from './messages';
import { Waiting } from './waiting';

export interface RawResponse extends Message {
  readonly status: number;
}

/** A client that sends whatever bytes it is given, and reads the responses to them strictly. */
export class RawClient {
  /** All that came, as latin1. */
  received = '';
  /** The other side ended or reset the connection. */
  hasEnded = false;
  isClosed = false;
  wasReset = false;
  private readonly waiting = new Waiting();

  /** `methods` of the requests, as far as a response's end depends on them (HEAD, CONNECT). */
  constructor(
    readonly socket: Socket,
    private readonly methods: readonly string[],
  ) {
    socket.on('data', (bytes: Buffer) => this.note(() => (this.received += bytes.toString('latin1'))));
    socket.on('end', () => this.note(() => (this.hasEnded = true)));
    socket.on('error', (error: NodeJS.ErrnoException) =>
      this.note(() => {
        this.hasEnded = true;
        this.wasReset = error.code === 'ECONNRESET';
      }),
    );
    socket.on('close', () => this.note(() => (this.hasEnded = this.isClosed = true)));
    later(() => void socket.destroy());
  }

  send(text: string): void {
    if (!this.isClosed) this.socket.write(text, 'latin1');
  }

  /** Ends the client's half. */
  end(): void {
    this.socket.end();
  }

  reset(): void {
    this.socket.resetAndDestroy();
  }

  when(isMet: (client: RawClient) => boolean): Promise<void> {
    return this.waiting.when(() => isMet(this));
  }

  /** The whole responses so far, interim ones too, and what stands behind them. */
  read(): { responses: RawResponse[]; rest: string } {
    const responses: RawResponse[] = [];
    let next = 0;
    for (let isAt = 0; next < this.received.length;) {
      const read = readMessage(
        this.received,
        next,
        (line) => findEnding(line, this.methods[isAt] ?? 'GET'),
        this.isWhole,
      );
      if (!read) break;
      const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(read.message.startLine)?.[1] ?? NaN);
      responses.push({ ...read.message, status });
      if (status >= 200) isAt += 1;
      next = read.next;
    }
    return { responses, rest: this.received.slice(next) };
  }

  /** The responses once there are `count` whole final ones, or once no more can come. */
  async responds(count = 1): Promise<RawResponse[]> {
    await this.when(() => this.hasEnded || finals(this.read().responses).length >= count);
    return finals(this.read().responses);
  }

  /** The statuses of the responses, as `responses` gives them. */
  async statuses(count = 1): Promise<number[]> {
    return (await this.responds(count)).map(({ status }) => status);
  }

  /** Waits for the other side to close. One that goes on responding does not close; its second response says so. */
  async closes(): Promise<boolean> {
    const before = finals(this.read().responses).length;
    if (!this.hasEnded) this.send('GET /probe HTTP/1.1\r\nHost: probe\r\n\r\n');
    await this.when(() => this.hasEnded || finals(this.read().responses).length > before);
    return this.hasEnded;
  }

  private get isWhole(): boolean {
    return this.hasEnded && !this.wasReset;
  }

  private note(change: () => unknown): void {
    change();
    this.waiting.changed();
  }
}

export async function connect(port: number, methods: readonly string[] = []): Promise<RawClient> {
  const socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
  const client = new RawClient(socket, methods);
  await new Promise((resolve) => socket.once('connect', resolve));
  return client;
}

/** A client that has sent these bytes. */
export async function send(port: number, text: string, methods: readonly string[] = []): Promise<RawClient> {
  const client = await connect(port, methods);
  client.send(text);
  return client;
}

export function findField(message: Message | undefined, name: string): string | undefined {
  const values = message ? listValues(message.fields, name) : [];
  return values.length === 0 ? undefined : values.join(', ');
}

function finals(responses: readonly RawResponse[]): RawResponse[] {
  return responses.filter(({ status }) => !(status < 200) || status === 101);
}

function findEnding(statusLine: string, method: string): Ending {
  const hasNoBody = method === 'HEAD' || / (1\d\d|204|304) /.test(statusLine);
  return hasNoBody ? 'noBody' : 'byFramingOrClose';
}
