// A server of socket.io whose connections another one can recover, by Redis: node socket-io-server.mjs SOCKET NAME [PUBLISH_MS]
import { createServer } from 'node:http';
import { createAdapter } from '@socket.io/redis-streams-adapter';
import { Redis } from 'ioredis';
import { Server } from 'socket.io';

const [, , store, name, publishMs] = process.argv;
const http = createServer();
const io = new Server(http, { adapter: createAdapter(new Redis(store)), connectionStateRecovery: {} });
const counts = { recovered: 0, fresh: 0 };

io.on('connection', (socket) => {
  if (socket.recovered) counts.recovered += 1;
  else counts.fresh += 1;
  socket.on('say', (number) => socket.emit('said', number));
  socket.on('save', (number, saved) => setTimeout(() => saved(number), 5));
});

let news = 0;
if (publishMs !== undefined) setInterval(() => io.emit('news', (news += 1)), Number(publishMs));

process.on('message', () => process.send({ name, ...counts, news, clients: io.engine.clientsCount }));
process.on('disconnect', () => process.exit(0));
http.listen(0, '127.0.0.1', () => process.send({ port: http.address().port }));
