import type { Socket } from 'node:net';
import { startRawBackend } from '../../../support/world';
import { Message, NotStrict, readMessage } from './messages';
import { Waiting } from './waiting';

export const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

/** A request as it reached the upstream, whole. */
export interface RawRequest extends Message {
  readonly method: string;
  readonly target: string;
  readonly version: string;
  /** Over the how manyeth connection it came, from 0. */
  readonly connection: number;
}

/** Says what bytes respond to a request; undefined when it wrote, or will write, something itself. */
export type RespondWith = (request: RawRequest, upstream: UpstreamConnection) => string | undefined;

export class UpstreamConnection {
  /** All that came, as latin1. */
  received = '';
  isClosed = false;
  /** What stands behind the last whole request. */
  unread = '';
  /** What comes is no HTTP any more, or not to be read. */
  isSwitched = false;

  constructor(
    readonly socket: Socket,
    readonly index: number,
  ) {}

  write(text: string): void {
    this.socket.write(text, 'latin1');
  }
}

/** An upstream that notes every byte, reads requests strictly and responds with whatever bytes it is told. */
export class RawUpstream {
  port = 0;
  readonly connections: UpstreamConnection[] = [];
  private readonly whole: RawRequest[] = [];
  private fault: Error | undefined;
  private readonly waiting = new Waiting();

  constructor(
    private readonly respondWith: RespondWith,
    /** Called with every read, before requests are looked for in it. */
    private readonly noted: (connection: UpstreamConnection) => void,
  ) {}

  /**
   * The whole requests so far.
   *
   * @throws NotStrict when what came was not strict HTTP/1.1
   */
  get requests(): readonly RawRequest[] {
    if (this.fault) throw this.fault;
    return this.whole;
  }

  get targets(): string[] {
    return this.requests.map(({ target }) => target);
  }

  when(isMet: (upstream: RawUpstream) => boolean): Promise<void> {
    return this.waiting.when(() => isMet(this));
  }

  accept(socket: Socket): void {
    const connection = new UpstreamConnection(socket, this.connections.length);
    this.connections.push(connection);
    socket.on('data', (bytes: Buffer) => {
      const text = bytes.toString('latin1');
      connection.received += text;
      connection.unread += text;
      this.noted(connection);
      this.readRequests(connection);
      this.waiting.changed();
    });
    socket.on('close', () => {
      connection.isClosed = true;
      this.waiting.changed();
    });
    this.waiting.changed();
  }

  private readRequests(connection: UpstreamConnection): void {
    while (!connection.isSwitched && connection.unread !== '') {
      const request = this.readRequest(connection);
      if (!request) return;
      this.whole.push(request);
      const response = this.respondWith(request, connection);
      if (response !== undefined) connection.write(response);
    }
  }

  private readRequest(connection: UpstreamConnection): RawRequest | undefined {
    try {
      const read = readMessage(connection.unread, 0, () => 'byFraming', false);
      if (!read) return undefined;
      connection.unread = connection.unread.slice(read.next);
      const line = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([\x21-\x7e]+) (HTTP\/1\.1)$/.exec(read.message.startLine);
      if (!line) throw new NotStrict(`request line: ${JSON.stringify(read.message.startLine)}`);
      const [, method = '', target = '', version = ''] = line;
      return { ...read.message, method, target, version, connection: connection.index };
    } catch (error) {
      this.fault ??= error as Error;
      connection.isSwitched = true;
      connection.socket.destroy();
      return undefined;
    }
  }
}

export async function startUpstream(
  respondWith: RespondWith = () => OK,
  noted: (connection: UpstreamConnection) => void = () => undefined,
): Promise<RawUpstream> {
  const upstream = new RawUpstream(respondWith, noted);
  upstream.port = await startRawBackend((socket) => upstream.accept(socket));
  return upstream;
}
