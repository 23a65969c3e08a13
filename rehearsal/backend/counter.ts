import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { Duplex } from 'node:stream';
import { RawData, WebSocket, WebSocketServer } from 'ws';
import { Side } from '../../core/traffic/weights';
import { RESUME_HEADER, TOKEN_HEADER } from './faulty-side';
import { Store } from './store-state';

/**
 * `ws` echoes a peer's Close at once, even when responds to earlier messages are still being worked on; they would be lost.
 * Here a Close waits for them, whichever end asked for it.
 */
class RespondingWebSocket extends WebSocket {
  private working = 0;
  private closeWhenIdle: (() => void) | undefined;

  /** Works on one message and sends the response. Messages that come once a close is decided are left for the next connection. */
  async respond(work: () => Promise<string>): Promise<void> {
    if (this.closeWhenIdle !== undefined || this.readyState !== WebSocket.OPEN) return;
    this.working += 1;
    try {
      this.send(await work(), () => undefined);
    } finally {
      this.working -= 1;
      this.closeIfIdle();
    }
  }

  override close(code?: number, reason?: string | Buffer): void {
    this.closeWhenIdle ??= () => super.close(code, reason);
    this.closeIfIdle();
  }

  private closeIfIdle(): void {
    if (this.working === 0) this.closeWhenIdle?.();
  }
}

/**
 * `GET /ws/counter?client=ID`: counts the messages of a client in the store and responds to each, in order. `sequence` counts those of
 * the connection, from 1: it is kept in the store, too, under the connection's resume token, so that the other side goes on where this one
 * stopped. A token that is unknown, or another client's, is rejected.
 */
export class Counter {
  private readonly tokens = new WeakMap<IncomingMessage, string>();
  private readonly server = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: 4096,
    WebSocket: RespondingWebSocket,
  });

  constructor(
    findSide: (request: IncomingMessage) => Side,
    private readonly store: Store,
  ) {
    this.server.on('headers', (headers, request) => {
      headers.push(`x-backend: ${findSide(request)}`, `${TOKEN_HEADER}: ${this.tokens.get(request)}`);
    });
  }

  async upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, client: string): Promise<void> {
    const token = await this.findToken(request, client);
    if (token === undefined)
      return void socket.end('HTTP/1.1 410 Gone\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
    this.tokens.set(request, token);
    this.server.handleUpgrade(request, socket, head, (webSocket) => {
      webSocket.on('error', () => webSocket.terminate());
      webSocket.on('message', (data) => {
        webSocket.respond(() => this.count(client, token, data)).catch(() => webSocket.close(1011, 'cannot count'));
      });
    });
  }

  /** @returns undefined where there is no such connection to go on with */
  private async findToken({ headers }: IncomingMessage, client: string): Promise<string | undefined> {
    const resumed = headers[RESUME_HEADER];
    const token = String(resumed ?? headers[TOKEN_HEADER] ?? randomUUID());
    const key = `connection:${token}`;
    const owner = resumed === undefined ? await this.store.setOnce(key, client) : await this.store.get(key);
    return owner === client ? token : undefined;
  }

  /** Responds to what was received, then closes every connection with 1001. */
  closeAll(): void {
    for (const webSocket of this.server.clients) webSocket.close(1001, 'backend stops');
  }

  private async count(client: string, token: string, data: RawData): Promise<string> {
    const { n } = JSON.parse((data as Buffer).toString('utf8')) as { n: number };
    const [count, sequence] = await Promise.all([
      this.store.increment(`counter:${client}`),
      this.store.increment(`sequence:${token}`),
    ]);
    return JSON.stringify({ n, count, sequence });
  }
}
