import { IncomingMessage, ServerResponse } from 'node:http';
import { Store } from './store-state';

const INTERVAL_MS = 250;

/**
 * `GET /clock?client=ID`: an event each 250 ms. An id is the number of intervals since the client's first visit, which is
 * kept in the store; so either side can go on where the other one stopped (`Last-Event-ID`).
 */
export class Clock {
  private readonly streams = new Set<ServerResponse>();

  constructor(private readonly store: Store) {}

  async stream(request: IncomingMessage, response: ServerResponse, client: string): Promise<void> {
    const startedMs = Number(await this.store.setOnce(`clock:${client}`, String(Date.now())));
    if (response.destroyed) return;
    let lastId = Number(request.headers['last-event-id'] ?? 0);
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
    response.write('retry: 300\n\n');
    const send = () => {
      const now = Math.floor((Date.now() - startedMs) / INTERVAL_MS);
      while (lastId < now) response.write(`id: ${++lastId}\ndata: ${lastId}\n\n`);
    };
    const timer = setInterval(send, INTERVAL_MS);
    this.streams.add(response);
    response.on('close', () => {
      clearInterval(timer);
      this.streams.delete(response);
    });
    send();
  }

  closeAll(): void {
    for (const response of this.streams) response.end();
  }
}
