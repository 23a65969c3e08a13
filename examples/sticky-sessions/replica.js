// One replica of the application. It keeps the WebSockets of its own clients in memory, and knows of no others. What it
// publishes in Valkey, every replica of both sides gets.
const { randomBytes } = require('node:crypto');
const { readFileSync } = require('node:fs');
const { createServer } = require('node:http');
const { dirname, join } = require('node:path');
const { json } = require('node:stream/consumers');
const { Redis } = require('iovalkey');
const { WebSocketServer } = require('ws');

const [side, number, valkey] = process.argv.slice(2);
const me = { side, replica: Number(number) };
const CHANNEL = 'sticky-sessions';
const MAX_BYTES = 4096;

const PAGE = join(__dirname, 'page');
const CLIENT = join(dirname(require.resolve('drainshift/client')), 'index.mjs');
const FILES = {
  '/': ['text/html; charset=utf-8', join(PAGE, 'index.html')],
  '/page.css': ['text/css; charset=utf-8', join(PAGE, 'page.css')],
  '/page.js': ['text/javascript; charset=utf-8', join(PAGE, 'page.js')],
  '/client.mjs': ['text/javascript; charset=utf-8', CLIENT],
};
const HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
};

/** By the id of the client. */
const sockets = new Map();

/** @returns whether the client is connected here */
function sendTo(client, message) {
  const socket = sockets.get(client);
  if (socket === undefined) return false;
  socket.send(JSON.stringify({ ...message, deliveredBy: me }));
  return true;
}

/** What the page asks by HTTP. Each responds with who was asked. */
const CALLS = {
  '/echo': ({ id, text }) => ({ id, text }),
  '/to-socket': ({ client, id, text }) => ({ id, isDelivered: sendTo(client, { id, text, by: me }) }),
  '/publish': async ({ client, id, text }) => ({
    id,
    receivers: await publisher.publish(CHANNEL, JSON.stringify({ client, message: { id, text, by: me } })),
  }),
};

async function respond(request) {
  const path = request.url.split('?')[0];
  if (request.method === 'GET' && path === '/health') return { status: 200, type: 'text/plain', body: 'ok' };
  if (request.method === 'GET' && FILES[path]) {
    const [type, file] = FILES[path];
    return { status: 200, type, body: readFileSync(file), headers: path === '/' ? applicationCookie(request) : {} };
  }
  const call = request.method === 'POST' ? CALLS[path] : undefined;
  if (call === undefined) return { status: 404, type: 'text/plain', body: 'not found' };
  if (!(Number(request.headers['content-length']) <= MAX_BYTES))
    return { status: 413, type: 'text/plain', body: `at most ${MAX_BYTES} bytes` };
  const body = { ...(await call(await json(request))), by: me, routedBy: request.headers['x-routed-by'] };
  return { status: 200, type: 'application/json', body: JSON.stringify(body) };
}

/** A new one with the page, unless there is one. The page keeps it, and takes it out of the document. */
function applicationCookie({ headers }) {
  if (/(^|; *)StickyStr=/.test(headers.cookie ?? '')) return {};
  const isSecure = headers['x-forwarded-proto'] === 'https';
  const value = `${side}-${number}-${randomBytes(8).toString('hex')}`;
  return { 'set-cookie': `StickyStr=${value}; Path=/; SameSite=Strict${isSecure ? '; Secure' : ''}` };
}

const server = createServer((request, response) => {
  respond(request)
    .catch((error) => ({ status: 400, type: 'text/plain', body: String(error.message) }))
    .then(({ status, type, body, headers }) => {
      response.writeHead(status, { ...HEADERS, ...headers, 'content-type': type }).end(body);
    });
});

new WebSocketServer({ server, path: '/socket', maxPayload: MAX_BYTES }).on('connection', (socket, request) => {
  const client = new URL(request.url, 'http://replica').searchParams.get('client');
  sockets.set(client, socket);
  socket.on('error', () => undefined);
  socket.on('close', () => sockets.get(client) === socket && sockets.delete(client));
  socket.on('message', (bytes) => {
    const { id, text } = JSON.parse(bytes.toString());
    socket.send(JSON.stringify({ id, text, by: me, deliveredBy: me }));
  });
  socket.send(JSON.stringify({ hello: me, routedBy: request.headers['x-routed-by'] }));
});

const [host, port] = valkey.split(':');
const options = { ...(valkey.includes('/') ? { path: valkey } : { host, port: Number(port) }), lazyConnect: true };
const publisher = new Redis(options);
const subscriber = new Redis(options);
let hasBegun = false;
// Later on they connect again by themselves.
for (const connection of [publisher, subscriber]) connection.on('error', () => hasBegun || end());

function end() {
  process.send({ why: `'--valkey' must be a Valkey or Redis that runs, got '${valkey}'` }, () => process.exit(1));
}

async function main() {
  await Promise.all([publisher.connect(), subscriber.connect()]);
  subscriber.on('message', (_, text) => {
    const { client, message } = JSON.parse(text);
    sendTo(client, message);
  });
  await subscriber.subscribe(CHANNEL);
  hasBegun = true;
  server.listen(0, '127.0.0.1', () => process.send({ port: server.address().port }));
}

process.once('disconnect', () => process.exit(0));
main().catch(end);
