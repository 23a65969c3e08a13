import { IncomingMessage, ServerResponse, request as httpRequest } from 'node:http';
import { Http2ServerRequest, Http2ServerResponse, createSecureServer } from 'node:http2';
import { AddressInfo, Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { generate } from 'selfsigned';
import { WebSocket, WebSocketServer } from 'ws';
import type { TrafficOptions } from '../../../rehearsal/traffic/options';

/** What a front does wrong, on purpose. Each may be changed while it runs. */
export interface Faults {
  /** Instead of forwarding, with cookies on the response if it likes; true when it has dealt with the request. */
  request?: (request: IncomingMessage | Http2ServerRequest, response: ServerResponse | Http2ServerResponse) => boolean;
  /** The body that goes to the client instead of the backend's. */
  responseBody?: (path: string, body: Buffer) => Buffer;
  /** Instead of `forward(message)`: a client's message on its way to the backend. */
  message?: (message: string, forward: (message: string) => void, client: WebSocket) => void;
  /** Instead of `forward(answer)`: a backend's response on its way to the client. */
  respond?: (response: string, forward: (response: string) => void, client: WebSocket) => void;
  /** An event stream's chunk on its way to the client. */
  event?: (chunk: Buffer, response: ServerResponse | Http2ServerResponse) => Buffer;
}

export interface Front {
  readonly options: Pick<TrafficOptions, 'origin' | 'connectTo' | 'ca'>;
  /**
   * Closes each WebSocket without a loss: the backend first, so that it responds to what it has, then the client with 1012.
   */
  drainWebSockets(): void;
  readonly sockets: ReadonlySet<Socket>;
  /** Where requests go from now on. */
  backendUrl: string;
  stop(): Promise<void>;
}

/** A TLS front (HTTP/2 and HTTP/1.1) to a backend that can be told to do things wrong. */
export async function startFront(backendUrl: string, faults: Faults = {}): Promise<Front> {
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'shop.example.com' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: 'shop.example.com' }] }],
  });
  const webSockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });
  const sockets = new Set<Socket>();
  const backends = new Set<WebSocket>();
  const server = createSecureServer({ cert, key, allowHTTP1: true }, (request, response) => {
    response.on('error', () => undefined);
    if (faults.request?.(request, response) !== true) forward(request, response, front.backendUrl, faults);
  });
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
  });
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const rejection = new ServerResponse(request);
    rejection.assignSocket(socket as Socket);
    rejection.on('finish', () => socket.end());
    if (faults.request?.(request, rejection) === true) return;
    rejection.detachSocket(socket as Socket);
    const cookies = [rejection.getHeader('set-cookie') ?? []].flat();
    webSockets.once('headers', (headers) => headers.push(...cookies.map((cookie) => `set-cookie: ${cookie}`)));
    webSockets.handleUpgrade(request, socket, head, (client) => {
      const backend = new WebSocket(front.backendUrl.replace('http', 'ws') + (request.url ?? ''), {
        perMessageDeflate: false,
      });
      backends.add(backend);
      backend.on('close', () => backends.delete(backend));
      relay(client, backend, faults);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const front: Front = {
    options: {
      origin: 'https://shop.example.com',
      connectTo: { host: '127.0.0.1', port: (server.address() as AddressInfo).port },
      ca: cert,
    },
    drainWebSockets: () =>
      backends.forEach((backend) => {
        // One that is still being opened has messages waiting.
        if (backend.readyState === WebSocket.CONNECTING) backend.once('open', () => backend.close(1001));
        else backend.close(1001);
      }),
    sockets,
    backendUrl,
    stop: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
  return front;
}

function forward(
  request: IncomingMessage | Http2ServerRequest,
  response: ServerResponse | Http2ServerResponse,
  backendUrl: string,
  faults: Faults,
): void {
  const path = request.url ?? '/';
  const names = Object.entries(request.headers).filter(([name]) => !name.startsWith(':') && !HOP_BY_HOP.includes(name));
  const upstream = httpRequest(backendUrl + path, { method: request.method, headers: Object.fromEntries(names) });
  upstream.on('error', () => response.destroyed || response.destroy());
  upstream.on('response', (received) => {
    for (const [name, value] of Object.entries(received.headers)) {
      if (value !== undefined && !HOP_BY_HOP.includes(name)) response.setHeader(name, value);
    }
    response.statusCode = received.statusCode ?? 502;
    if (received.headers['content-type'] === 'text/event-stream') return stream(received, response, faults);
    const chunks: Buffer[] = [];
    received.on('data', (chunk: Buffer) => chunks.push(chunk));
    received.on('end', () => {
      const body = Buffer.concat(chunks);
      response.removeHeader('content-length');
      response.end(faults.responseBody?.(path, body) ?? body);
    });
  });
  request.pipe(upstream);
  response.on('close', () => upstream.destroy());
}

function stream(received: IncomingMessage, response: ServerResponse | Http2ServerResponse, faults: Faults): void {
  const out = response as ServerResponse;
  received.on('data', (chunk: Buffer) => out.write(faults.event?.(chunk, response) ?? chunk));
  received.on('end', () => out.end());
  received.on('error', () => out.destroy());
}

function relay(client: WebSocket, backend: WebSocket, faults: Faults): void {
  const early: string[] = [];
  const toBackend = (message: string) =>
    backend.readyState === WebSocket.OPEN ? backend.send(message) : early.push(message);
  const toClient = (response: string) => client.send(response);
  backend.on('open', () => early.splice(0).forEach((message) => backend.send(message)));
  client.on('message', (data: Buffer) => (faults.message ?? pass)(data.toString(), toBackend, client));
  backend.on('message', (data: Buffer) => (faults.respond ?? pass)(data.toString(), toClient, client));
  client.on('close', () => backend.close(1000));
  backend.on('close', () => client.close(1012));
  backend.on('error', () => client.terminate());
  client.on('error', () => backend.terminate());
}

const pass = (message: string, forwardIt: (message: string) => void) => forwardIt(message);
const HOP_BY_HOP = ['connection', 'keep-alive', 'transfer-encoding', 'host', 'http2-settings'];
