// `http-proxy` as its documentation sets it up, with kept-alive upstream connections.
import { Agent, createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import { nodePeerJob } from './node-peer';

/** As much of the package as is used; it may not be installed, so its types are not asked for. */
interface HttpProxy {
  web(request: IncomingMessage, response: ServerResponse): void;
  ws(request: IncomingMessage, socket: Socket, head: Buffer): void;
  on(
    event: 'error',
    handler: (error: Error, request: IncomingMessage, response: ServerResponse | Socket) => void,
  ): void;
}

interface HttpProxyPackage {
  createProxyServer(options: { target: string; agent: Agent; xfwd: boolean; ws: boolean }): HttpProxy;
}

const { createProxyServer } = createRequire(__filename)('http-proxy') as HttpProxyPackage;
const { port, target, tls } = nodePeerJob();
const proxy = createProxyServer({
  target,
  agent: new Agent({ keepAlive: true, maxFreeSockets: 1024 }),
  xfwd: true,
  ws: true,
});
proxy.on('error', (_error, _request, response) => response.destroy());
const serve = (request: IncomingMessage, response: ServerResponse) => proxy.web(request, response);
const options = { keepAliveTimeout: 3_600_000, requestTimeout: 0 };
const server = tls === undefined ? createServer(options, serve) : createTlsServer({ ...options, ...tls }, serve);
server.on('upgrade', (request, socket, head) => proxy.ws(request, socket as Socket, head));
server.listen({ host: '127.0.0.1', port, backlog: 4096 });
