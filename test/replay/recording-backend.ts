import { once } from 'node:events';
import { IncomingMessage, Server, ServerResponse, createServer } from 'node:http';
import { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

/** A request that a target got: when it arrived, and when its response ended; by one clock. */
export interface Arrival {
  readonly id: string;
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  readonly startMs: number;
  endMs: number;
}

export interface Backend {
  readonly url: URL;
  readonly arrivals: Arrival[];
  close(): Promise<void>;
}

type Respond = (arrival: Arrival, response: ServerResponse, count: number) => void | Promise<void>;

/** A target that writes down when requests arrive and end. */
export async function startBackend(respond: Respond, port = 0): Promise<Backend> {
  const arrivals: Arrival[] = [];
  const server: Server = createServer((request, response) => {
    const startMs = performance.now();
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      const { method = '', url = '', headers } = request;
      const id = String(headers['x-drainshift-replay-id']);
      const arrival: Arrival = {
        id,
        method,
        url,
        headers,
        body: Buffer.concat(pieces).toString(),
        startMs,
        endMs: Infinity,
      };
      arrivals.push(arrival);
      response.on('finish', () => (arrival.endMs = performance.now()));
      void respond(arrival, response, arrivals.length);
    });
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`),
    arrivals,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Ends a response after some time. */
export async function respondAfter(response: ServerResponse, ms: number, body = 'done'): Promise<void> {
  if (ms > 0) await pause(ms);
  response.end(body);
}
