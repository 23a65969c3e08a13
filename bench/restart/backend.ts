// What the proxies forward to: WebSockets whose messages come back, and requests whose path comes back. One process for both.
import { createHash } from 'node:crypto';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { ACCEPT_MAGIC, FrameReader, messageFrame } from '../load/frames';
import { say, whenParentEnds } from '../load/inside';

const OPCODE_CLOSE = 8;
const HEAD_END = '\r\n\r\n';

function serve(socket: Socket): void {
  let rest = '';
  const read = (bytes: Buffer) => {
    rest += bytes.toString('latin1');
    for (let end = rest.indexOf(HEAD_END); end >= 0; end = rest.indexOf(HEAD_END)) {
      const head = rest.slice(0, end);
      rest = rest.slice(end + HEAD_END.length);
      const key = /^sec-websocket-key: *(\S+)/im.exec(head)?.[1];
      if (key !== undefined) {
        socket.off('data', read);
        return upgrade(socket, key);
      }
      const path = head.split(' ', 2)[1] ?? '';
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${path.length}\r\n\r\n${path}`, 'latin1');
    }
  };
  socket.setNoDelay(true);
  socket.on('error', () => socket.destroy());
  socket.on('data', read);
}

function upgrade(socket: Socket, key: string): void {
  const accept = createHash('sha1')
    .update(key + ACCEPT_MAGIC)
    .digest('base64');
  socket.write(
    'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
      `Sec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
  const frames = new FrameReader(({ opcode, payload }) => {
    if (opcode === OPCODE_CLOSE) return void socket.end(Buffer.concat([Buffer.from([0x88, payload.length]), payload]));
    socket.write(messageFrame(payload, false));
  });
  socket.on('data', (bytes) => frames.push(bytes));
}

whenParentEnds();
const server = createServer(serve);
server.listen({ host: '127.0.0.1', port: 0, backlog: 4096 }, () =>
  say({ port: (server.address() as AddressInfo).port }),
);
