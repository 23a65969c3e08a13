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
// An address of its own: the port of one that was killed is free, and another row's backend would respond in its place.
const host = `127.77.${(process.pid >> 8) & 255}.${process.pid & 255}`;
server.listen(0, host, () => process.send?.(`http://${host}:${(server.address() as AddressInfo).port}`));
process.on('disconnect', () => process.exit(0));
