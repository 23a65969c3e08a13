import { IncomingMessage } from 'node:http';
import { Duplex } from 'node:stream';
import { RawData, WebSocket, WebSocketServer } from 'ws';
import { Side } from '../../core/traffic/weights';
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

/** `GET /ws/counter?client=ID`: counts the messages of a client in the store and responds to each, in order. */
export class Counter {
  private readonly server = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: 4096,
    WebSocket: RespondingWebSocket,
  });

  constructor(
    side: Side,
    private readonly store: Store,
  ) {
    this.server.on('headers', (headers) => headers.push(`x-backend: ${side}`));
  }

  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, client: string): void {
    this.server.handleUpgrade(request, socket, head, (webSocket) => {
      webSocket.on('error', () => webSocket.terminate());
      webSocket.on('message', (data) => {
        webSocket.respond(() => this.count(client, data)).catch(() => webSocket.close(1011, 'cannot count'));
      });
    });
  }

  /** Responds to what was received, then closes every connection with 1001. */
  closeAll(): void {
    for (const webSocket of this.server.clients) webSocket.close(1001, 'backend stops');
  }

  private async count(client: string, data: RawData): Promise<string> {
    const { n } = JSON.parse((data as Buffer).toString('utf8')) as { n: number };
    return JSON.stringify({ n, count: await this.store.increment(`counter:${client}`) });
  }
}
