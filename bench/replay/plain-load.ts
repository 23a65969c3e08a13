// The same requests as those of a capture, without a capture: `plain-load PORT COUNT CONNECTIONS`. Prints requests a second.
import { Agent, request } from 'node:http';
import { BODY_BYTES } from './generate';

const [port, count, connections] = process.argv.slice(2).map(Number) as [number, number, number];
const agent = new Agent({ keepAlive: true, maxSockets: connections });
const body = Buffer.alloc(BODY_BYTES, 'x');
let sent = 0;
let done = 0;
const startedMs = performance.now();

function next(): void {
  if (sent >= count) return;
  const path = `/carts/${(sent * 7) % 1_000}/items`;
  sent += 1;
  const call = request({
    host: '127.0.0.1',
    port,
    path,
    method: 'PUT',
    agent,
    headers: { 'content-length': body.length },
  });
  call.on('response', (response) => {
    response.resume().on('end', () => {
      done += 1;
      if (done === count) finish();
      else next();
    });
  });
  call.end(body);
}

function finish(): void {
  process.stdout.write(`${(count * 1_000) / (performance.now() - startedMs)}\n`);
  process.exit();
}

for (let at = 0; at < connections; at += 1) next();
