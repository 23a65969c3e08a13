// One side's backend of a row, in a process of its own: small pages and a WebSocket echo, by Node's server and `ws`.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';
import { text } from 'node:stream/consumers';
import {
  HOOK_BODIES,
  RESUME_HEADER,
  TOKEN_HEADER,
  isHookCall,
  type Degraded,
} from '../../rehearsal/backend/faulty-side';

const side = process.argv[2] ?? '';
let degraded: Degraded = {};
process.on('message', (message: Degraded) => (degraded = message));
let requests = 0;

/** It passes where nothing else is said. */
async function respondToHook(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { key } = JSON.parse(await text(request)) as { key: string };
  const { hook } = degraded;
  if (hook !== 'hangs') response.end(hook ? HOOK_BODIES[hook] : JSON.stringify({ ok: true, key }));
}

const server = createServer((request, response) => {
  if (isHookCall(request.method ?? '', request.headers['user-agent'])) return void respondToHook(request, response);
  const { errorShare = 0, delayMs = 0 } = degraded;
  // Evenly, so that a row does not depend on a draw.
  requests += 1;
  const isError = Math.floor(requests * errorShare) > Math.floor((requests - 1) * errorShare);
  request.resume();
  setTimeout(() => {
    response.writeHead(isError ? 500 : 200, { 'x-side': side });
    response.end(`${side}\n`);
  }, delayMs);
});
const sockets = new WebSocketServer({
  server,
  path: '/ws',
  // The echo has no state: a connection with a token goes on.
  verifyClient: ({ req }, responded) => {
    const { resumption } = degraded;
    const isMove = req.headers[RESUME_HEADER] !== undefined;
    if (isMove && resumption === 'rejected') return responded(false, 410);
    setTimeout(() => responded(true), isMove && typeof resumption === 'number' ? resumption : 0);
  },
});
sockets.on('headers', (headers, { headers: sent }) => {
  const token = sent[RESUME_HEADER] ?? sent[TOKEN_HEADER];
  if (token !== undefined) headers.push(`${TOKEN_HEADER}: ${String(token)}`);
});
sockets.on('connection', (socket) => socket.on('message', (data: Buffer) => socket.send(data)));
// An address of its own: the port of one that was killed is free, and another row's backend would respond in its place.
const host = `127.77.${(process.pid >> 8) & 255}.${process.pid & 255}`;
server.listen(0, host, () => process.send?.(`http://${host}:${(server.address() as AddressInfo).port}`));
process.on('disconnect', () => process.exit(0));
