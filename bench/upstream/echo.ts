// A WebSocket upstream that sends back every message, straight on sockets.
import { createHash } from 'node:crypto';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { ACCEPT_MAGIC, FrameReader, messageFrame } from '../load/frames';
import { say, whenParentEnds } from '../load/inside';

const OPCODE_CLOSE = 8;

function serve(socket: Socket): void {
  socket.setNoDelay(true);
  socket.on('error', () => socket.destroy());
  let head = '';
  const readHead = (bytes: Buffer) => {
    head += bytes.toString('latin1');
    if (!head.includes('\r\n\r\n')) return;
    socket.off('data', readHead);
    const key = /^sec-websocket-key: *(\S+)/im.exec(head)?.[1];
    if (key === undefined) return void socket.end('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n');
    socket.write(
      'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
        `Sec-WebSocket-Accept: ${computeAccept(key)}\r\n\r\n`,
    );
    echo(socket);
  };
  socket.on('data', readHead);
}

function echo(socket: Socket): void {
  const frames = new FrameReader(({ opcode, payload }) => {
    if (opcode === OPCODE_CLOSE) return void socket.end(Buffer.concat([Buffer.from([0x88, payload.length]), payload]));
    socket.write(messageFrame(payload, false));
  });
  socket.on('data', (bytes) => frames.push(bytes));
}

function computeAccept(key: string): string {
  return createHash('sha1')
    .update(key + ACCEPT_MAGIC)
    .digest('base64');
}

whenParentEnds();
const server = createServer(serve);
server.listen({ host: '127.0.0.1', port: 0, backlog: 4096 }, () =>
  say({ port: (server.address() as AddressInfo).port }),
);
