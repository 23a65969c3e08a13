import { once } from 'node:events';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { WebSocketServer, type WebSocket as ServerSocket } from 'ws';
import { ReconnectingWebSocket } from '../../../client/index';
import { later } from '../../proxy/support/world';

export { later, stopAll, until } from '../../proxy/support/world';

export interface SocketServer {
  readonly url: string;
  readonly port: number;
  /** The path of each connection, in order. */
  readonly paths: string[];
  readonly server: WebSocketServer;
}

/** A server of `ws` that does what it is given with each connection: its number is from 1. */
export async function startSocketServer(
  onConnection: (socket: ServerSocket, number: number) => void,
  port = 0,
): Promise<SocketServer> {
  const server = new WebSocketServer({ port, host: '127.0.0.1' });
  const paths: string[] = [];
  server.on('connection', (socket, request) => {
    socket.on('error', () => undefined);
    paths.push(request.url!);
    onConnection(socket, paths.length);
  });
  await once(server, 'listening');
  later(() => {
    for (const socket of server.clients) socket.terminate();
    server.close();
  });
  const at = (server.address() as AddressInfo).port;
  return { url: `ws://127.0.0.1:${at}/`, port: at, paths, server };
}

/** A server that accepts and says nothing. */
export async function startSilentServer(): Promise<{ url: string; sockets: net.Socket[] }> {
  const sockets: net.Socket[] = [];
  const server = net.createServer((socket) => {
    socket.on('error', () => undefined);
    sockets.push(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  later(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`, sockets };
}

/** A server of requests that does what it is given with each: its number is from 1. */
export async function startHttpServer(
  onRequest: (request: http.IncomingMessage, response: http.ServerResponse, number: number) => void,
): Promise<{ url: string; requests: http.IncomingMessage[] }> {
  const requests: http.IncomingMessage[] = [];
  const server = http.createServer((request, response) => {
    requests.push(request);
    onRequest(request, response, requests.length);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  later(() => {
    server.close();
    server.closeAllConnections();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, requests };
}

export interface Followed {
  readonly socket: ReconnectingWebSocket;
  /** What was dispatched, with `readyState` as the handler saw it: `open 1`, `close 1012 0`, `message hello`. */
  readonly said: string[];
}

/** A client that connects again at once, and what it dispatches. It is closed after the test. */
export function follow(...args: ConstructorParameters<typeof ReconnectingWebSocket>): Followed {
  const [url, protocols, options] = args;
  const socket = new ReconnectingWebSocket(url, protocols, { minDelayMs: 1, maxDelayMs: 5, ...options });
  later(() => socket.close());
  const said: string[] = [];
  socket.onopen = () => said.push(`open ${socket.readyState}`);
  socket.onmessage = ({ data }) => said.push(`message ${data}`);
  socket.onerror = () => said.push('error');
  socket.onclose = ({ code }) => said.push(`close ${code} ${socket.readyState}`);
  return { socket, said };
}

/** The milliseconds of the waits between two attempts, with the same draw for each. Limits of 10 s and more are left out. */
export function recordWaits(draw: number): () => number[] {
  jest.spyOn(Math, 'random').mockReturnValue(draw);
  const spied = jest.spyOn(globalThis, 'setTimeout');
  later(() => void jest.restoreAllMocks());
  // Those of the classes: others, of `ws` and of this file, end elsewhere.
  return () =>
    spied.mock.calls.filter(([callBack]) => /_connect\(\)/.test(String(callBack))).map(([, ms]) => Number(ms));
}
