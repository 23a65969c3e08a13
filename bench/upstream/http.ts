// The upstream where nginx is not installed, straight on sockets. It takes only what the benchmark's proxies send.
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { ALB_BODIES } from '../load/alb-request';
import { say, whenParentEnds } from '../load/inside';
import { CHECKED_FIELDS, FILES, PATHS, SMALL_BODY } from './paths';

const bodies = new Map<string, Buffer>([
  [PATHS.small, Buffer.from(SMALL_BODY)],
  [PATHS.post, Buffer.from('taken\n')],
  ...Object.entries(ALB_BODIES).map(([path, body]): [string, Buffer] => [path, Buffer.from(body)]),
  ...Object.entries(FILES).map(([path, bytes]): [string, Buffer] => [path, Buffer.alloc(bytes, 'b')]),
]);
const responses = new Map([...bodies].map(([path, body]) => [path, readResponse(body)]));

function readResponse(body: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`), body]);
}

function serve(socket: Socket): void {
  let rest = '';
  let isInChunks = false;
  let bodyToCome = 0;
  let response: Buffer | undefined;
  const turn = (): boolean => {
    if (isInChunks) {
      // The load's bodies are of x, so this can only be the last chunk.
      const end = rest.startsWith('0\r\n\r\n') ? 5 : rest.indexOf('\r\n0\r\n\r\n') + 7;
      if (end < 7 && !rest.startsWith('0\r\n\r\n')) return false;
      rest = rest.slice(end);
      isInChunks = false;
    } else if (bodyToCome > 0) {
      const taken = Math.min(bodyToCome, rest.length);
      rest = rest.slice(taken);
      bodyToCome -= taken;
      if (bodyToCome > 0) return false;
    } else if (response === undefined) {
      const end = rest.indexOf('\r\n\r\n');
      if (end < 0) return false;
      const head = rest.slice(0, end);
      rest = rest.slice(end + 4);
      response = respondTo(head);
      bodyToCome = Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0);
      isInChunks = /^transfer-encoding: *chunked/im.test(head);
      if (bodyToCome > 0 || isInChunks) return rest.length > 0;
    }
    if (response !== undefined) socket.write(response);
    response = undefined;
    return rest.length > 0;
  };
  socket.setNoDelay(true);
  socket.on('error', () => undefined);
  socket.on('data', (bytes) => {
    rest += bytes.toString('latin1');
    while (turn());
  });
}

function respondTo(head: string): Buffer {
  const path = head.split(' ', 2)[1] ?? '';
  if (path !== PATHS.check)
    return responses.get(path) ?? Buffer.from('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n');
  const seen = CHECKED_FIELDS.map((name) => new RegExp(`^${name}: *(.*)$`, 'im').exec(head)?.[1]?.trim() ?? '');
  return readResponse(Buffer.from(seen.join('|')));
}

whenParentEnds();
const server = createServer(serve);
server.listen({ host: '127.0.0.1', port: 0, backlog: 4096 }, () =>
  say({ port: (server.address() as AddressInfo).port }),
);
