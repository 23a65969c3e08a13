// A client of a row, in a process of its own, that shares nothing with the rehearsal's: Node's https and `ws`, unmodified.
// It counts for itself, and tells its parent what it has counted whenever it is asked.
import { readFileSync } from 'node:fs';
import https from 'node:https';
import { WebSocket } from 'ws';
import type { ClientOptions, Seen } from './seen';

const REQUEST_EVERY_MS = 40;
const MESSAGE_EVERY_MS = 200;
const GIVEN_UP_MS = 4_000;
const RECONNECT_MS = 150;
/** The code that a client sees when no Close frame came. */
const WITHOUT_CLOSE = 1006;

const { port, name, caFile, sockets } = JSON.parse(process.argv[2] ?? '{}') as ClientOptions;
const ca = readFileSync(caFile);
const agent = new https.Agent({ keepAlive: true, maxSockets: 64 });
const seen: Seen = { requests: [], dropped: [], closes: {}, messages: { sent: 0, responded: 0 } };
let isOver = false;
let isPaused = false;

/** One request at each tick, whatever became of those before it. */
function ask(): void {
  const atMs = Date.now();
  const done = (result: { readonly status?: number; readonly side?: string; readonly error?: string }) =>
    seen.requests.push({ atMs, ms: Date.now() - atMs, ...result });
  const request = https.get(
    { host: '127.0.0.1', port, path: '/', servername: name, headers: { host: name }, ca, agent },
    (response) => {
      response.resume();
      response.on('error', (error) => done({ error: error.message }));
      response.on('end', () => done({ status: response.statusCode, side: String(response.headers['x-side']) }));
    },
  );
  request.setTimeout(GIVEN_UP_MS, () => request.destroy(new Error('no response')));
  request.on('error', (error) => done({ error: error.message }));
}

function connect(): void {
  if (isOver || isPaused) return;
  const socket = new WebSocket(`wss://127.0.0.1:${port}/ws`, {
    agent: new https.Agent({ ca, servername: name }),
    headers: { host: name },
  });
  const timer = setInterval(() => {
    if (isPaused || socket.readyState !== WebSocket.OPEN) return;
    seen.messages.sent += 1;
    socket.send('x');
  }, MESSAGE_EVERY_MS);
  let isOpen = false;
  socket.on('open', () => (isOpen = true));
  socket.on('message', () => (seen.messages.responded += 1));
  socket.on('error', () => undefined);
  socket.on('close', (code) => {
    clearInterval(timer);
    if (isOpen && !isOver) {
      seen.closes[code] = (seen.closes[code] ?? 0) + 1;
      if (code === WITHOUT_CLOSE) seen.dropped.push(Date.now());
    }
    setTimeout(connect, RECONNECT_MS);
  });
}

const ticking = setInterval(ask, REQUEST_EVERY_MS);
for (let count = 0; count < sockets; count += 1) connect();

process.on('message', (message) => {
  if (message === 'pause') {
    isPaused = true;
    clearInterval(ticking);
    return;
  }
  if (message === 'stop') {
    isOver = true;
    clearInterval(ticking);
    // The last requests get their time.
    setTimeout(() => process.send?.(seen), GIVEN_UP_MS / 4);
    return;
  }
  process.send?.(seen);
});
process.on('disconnect', () => process.exit(0));
