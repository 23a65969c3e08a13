// A WebSocket backend whose connections can move to another one of its kind: node backend.js --name blue --valkey redis://127.0.0.1:6379
const { createServer } = require('node:http');
const { parseArgs } = require('node:util');
const { Redis } = require('ioredis');
const { WebSocketServer } = require('ws');

const { values } = parseArgs({
  options: {
    name: { type: 'string', default: 'blue' },
    port: { type: 'string', default: '0' },
    valkey: { type: 'string', default: 'redis://127.0.0.1:6379' },
  },
});

/** How long a session waits for the backend that it moves to. */
const KEPT_SECONDS = 120;
/** How long a backend waits for a session: the other one may still be at its last message. */
const WAIT_SECONDS = 2;

const valkey = new Redis(values.valkey);
const server = createServer((request, response) => response.end(`${values.name}\n`));
const webSockets = new WebSocketServer({ noServer: true });

// The proxy offers a token with the first handshake. A backend that gives it back can resume the connection; the client never sees it.
webSockets.on('headers', (headers, { token }) => {
  if (token !== undefined) headers.push(`X-Drainshift-Resume-Token: ${token}`);
});

server.on('upgrade', async (request, socket, head) => {
  socket.on('error', () => socket.destroy());
  const resumed = request.headers['x-drainshift-resume'];
  request.token = resumed ?? request.headers['x-drainshift-resume-token'];
  try {
    const session = resumed === undefined ? { count: 0, unsent: [] } : await takeSession(resumed);
    // The proxy then asks the client to connect anew, with Close 1012.
    if (session === undefined) return socket.end('HTTP/1.1 409 Conflict\r\nConnection: close\r\n\r\n');
    webSockets.handleUpgrade(request, socket, head, (webSocket) => serve(webSocket, session, request.token));
  } catch (error) {
    console.error(error);
    socket.destroy();
  }
});

function serve(webSocket, session, token) {
  const send = (text) => {
    if (webSocket.readyState === webSocket.OPEN) webSocket.send(text);
    // The next backend says it.
    else session.unsent.push(text);
  };
  for (const text of session.unsent.splice(0)) send(text);

  // One after the other: what was received is worked off before the session goes to the next backend.
  let work = Promise.resolve();
  webSocket.on('message', (message) => {
    work = work.then(async () => {
      session.count += 1;
      const responded = await respond(session, String(message));
      send(responded);
    });
  });
  webSocket.on('close', () => {
    if (token !== undefined) work.then(() => giveSession(token, session)).catch(console.error);
  });
  webSocket.on('error', () => undefined);
}

async function respond({ count }, message) {
  await new Promise((resolve) => setTimeout(resolve, 5));
  return JSON.stringify({ count, message, by: values.name });
}

/** In a list with one item, which one backend alone can take. */
async function giveSession(token, session) {
  const key = `session:${token}`;
  await valkey.multi().rpush(key, JSON.stringify(session)).expire(key, KEPT_SECONDS).exec();
}

async function takeSession(token) {
  // A connection that waits can do nothing else.
  const waiting = valkey.duplicate();
  try {
    const [, session] = (await waiting.blpop(`session:${token}`, WAIT_SECONDS)) ?? [];
    return session === undefined ? undefined : JSON.parse(session);
  } finally {
    waiting.disconnect();
  }
}

server.listen(Number(values.port), '127.0.0.1', () =>
  console.log(`${values.name} listens at ${server.address().port}`),
);
