import { once } from 'node:events';
import http, { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import https from 'node:https';
import { AddressInfo, Socket } from 'node:net';
import { RawData, ServerOptions, WebSocket, WebSocketServer } from 'ws';
import type { Progress } from '../../check/progress';
import type { CheckTarget } from '../../check/target';

const running: (() => Promise<void>)[] = [];

/** Ends all that was started here. */
export async function stopServers(): Promise<void> {
  await Promise.all(running.splice(0).map((stop) => stop()));
}

interface Served {
  readonly onRequest?: RequestListener;
  readonly onSocket?: (socket: WebSocket, request: IncomingMessage) => void;
  readonly options?: ServerOptions;
  readonly tls?: { readonly key: string; readonly cert: string };
}

/** A server that is not ours: Node's own, with WebSockets of the package `ws`. @returns its port */
export async function serve({ onRequest, onSocket, options, tls }: Served): Promise<number> {
  const server = tls ? https.createServer(tls, onRequest) : http.createServer(onRequest);
  if (onSocket) new WebSocketServer({ server, ...options }).on('connection', onSocket);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => sockets.add(socket));
  running.push(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  });
  return (server.address() as AddressInfo).port;
}

/** What the package hands over as text. */
export const readText = (data: RawData) => (data as Buffer).toString();

export const echo = (socket: WebSocket) => socket.on('message', (data) => socket.send(readText(data)));

export function targetFor(url: string, more: Partial<CheckTarget> = {}): CheckTarget {
  return { url: new URL(url), headers: {}, subprotocols: [], insecure: false, timeoutMs: 60_000, ...more };
}

export const quiet = (): Progress => ({ describe: () => '' });

/** Not aborted. */
export const goOn = () => new AbortController().signal;

/**
 * Two servers behind a front, as a load balancer is: by turns, or by its cookie.
 *
 * @param isSticky whether it reads the cookie that it sets
 */
export async function serveFront(isSticky: boolean, cookieName = 'AWSALB'): Promise<number> {
  let turn = 0;
  const choose = (request: IncomingMessage): string => {
    const cookie = new RegExp(`(?:^|; )${cookieName}=(\\w+)`).exec(request.headers.cookie ?? '')?.[1];
    turn += 1;
    return isSticky && cookie !== undefined ? cookie : `server-${(turn % 2) + 1}`;
  };
  const respond = (request: IncomingMessage, response: ServerResponse) => {
    const server = choose(request);
    response.setHeader('set-cookie', `${cookieName}=${server.replace('-', '_')}; Path=/`);
    response.setHeader('x-server', server.replace('_', '-'));
    response.end(JSON.stringify({ server_id: server.replace('_', '-') }));
  };
  return serve({
    onRequest: respond,
    onSocket: (socket, request) => {
      const server = choose(request).replace('_', '-');
      socket.on('message', () => socket.send(JSON.stringify({ hostname: server })));
    },
  });
}
