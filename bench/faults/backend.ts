// One side's backend of a row, in a process of its own: small pages and a WebSocket echo, by Node's server and `ws`.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';

const side = process.argv[2] ?? '';
const server = createServer((request, response) => {
  request.resume();
  response.setHeader('x-side', side);
  response.end(`${side}\n`);
});
const sockets = new WebSocketServer({ server, path: '/ws' });
sockets.on('connection', (socket) => socket.on('message', (data: Buffer) => socket.send(data)));
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
process.on('disconnect', () => process.exit(0));
