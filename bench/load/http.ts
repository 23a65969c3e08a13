// The load where wrk is not installed: the same requests, straight on sockets.
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { HOST } from '../processes/ports';
import { ALB_REQUESTS, TRACE_DIGITS } from './alb-request';
import { ResponseReader } from './response-reader';
import type { HttpLoad } from './http-load';
import { asked, say, whenParentEnds } from './inside';

const load = asked<HttpLoad>();
const request = Buffer.concat([
  Buffer.from(
    `${load.method} ${load.path} HTTP/1.1\r\nHost: ${HOST}\r\n` +
      (load.closes ? 'Connection: close\r\n' : '') +
      (load.bodyBytes > 0 ? `Content-Length: ${load.bodyBytes}\r\n\r\n` : '\r\n'),
  ),
  Buffer.alloc(load.bodyBytes, 'x'),
]);

/** A trace id begins with it. */
const runId = Math.floor(Date.now() / 1000).toString(16);
let sent = 0;
let requests = 0;
let errors = 0;
let isOver = false;

function nextRequest(): Buffer | string {
  if (!load.isAlb) return request;
  sent += 1;
  const { before, behind } = ALB_REQUESTS[sent % ALB_REQUESTS.length]!;
  return before + (runId + sent.toString(16).padStart(TRACE_DIGITS - runId.length, '0')) + behind;
}

function open(): void {
  if (isOver) return;
  const socket: Socket = load.isTls
    ? connectTls({ host: HOST, port: load.port, rejectUnauthorized: false })
    : connect({ host: HOST, port: load.port, noDelay: true });
  const responses = new ResponseReader({
    end: ({ status }) => {
      requests += 1;
      if (status >= 400) errors += 1;
      if (!load.closes) socket.write(nextRequest());
    },
  });
  socket.on('data', (bytes) => responses.push(bytes));
  socket.on('error', () => (errors += isOver ? 0 : 1));
  socket.on('close', open);
  socket.on(load.isTls ? 'secureConnect' : 'connect', () => socket.write(nextRequest()));
}

whenParentEnds();
const beganMs = performance.now();
say({ at: 'begin' });
for (let index = 0; index < load.connections; index += 1) open();
setTimeout(() => {
  isOver = true;
  say({ at: 'end', result: { requests, errors, seconds: (performance.now() - beganMs) / 1000 } });
}, load.seconds * 1000);
