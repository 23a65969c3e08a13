// A web application that counts in its memory. node.mjs PORT MEGABYTES [LOG]
import { createHash } from 'node:crypto';
import { openSync, writeSync } from 'node:fs';
import http from 'node:http';

const [port, megabytes, log] = process.argv.slice(2);
const sessions = new Map();
let count = 0;
/** Each page has something of its own: none is like another. */
const ballast = Array.from({ length: Number(megabytes) }, (_, at) => {
  const block = Buffer.alloc(1 << 20);
  for (let offset = 0; offset < block.length; offset += 4096) block.writeUInt32LE(at * 256 + offset / 4096, offset);
  return block;
});
const file = log === undefined ? undefined : openSync(log, 'a');

const digest = () =>
  createHash('sha256')
    .update(JSON.stringify([count, [...sessions]]))
    .digest('hex');
const routes = {
  '/count': (url) => {
    count += 1;
    const session = url.searchParams.get('session');
    sessions.set(session, (sessions.get(session) ?? 0) + 1);
    if (file !== undefined) writeSync(file, `${count}\n`);
    return { count, session: sessions.get(session) };
  },
  '/state': () => ({ count, sessions: Object.fromEntries(sessions), digest: digest() }),
  // Reads all of its memory.
  '/ballast': () => ({ sum: ballast.reduce((sum, block) => sum + block.readUInt32LE(1044480), 0) }),
};

http
  .createServer(async (request, response) => {
    const url = new URL(request.url, 'http://application');
    let body = '';
    for await (const chunk of request) body += chunk;
    const verified = url.pathname === '/verify' && request.method === 'POST';
    const made = verified
      ? { ok: true, epoch: JSON.parse(body).epoch, digest: digest() }
      : (routes[url.pathname]?.(url) ?? {});
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(made));
  })
  .listen(Number(port), '127.0.0.1');
