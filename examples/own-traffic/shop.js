// An application as many are: Express with sessions in a database, a chat by WebSocket, prices by an EventSource, and a
// language model whose response streams.
//
//   node shop.js --port 8081 --database sessions.db
//   node shop.js --port 8082 --database sessions.db --bug wrong-price --bug lost-session --bug no-websocket
const { randomUUID } = require('node:crypto');
const { createServer } = require('node:http');
const { DatabaseSync } = require('node:sqlite');
const { setTimeout: pause } = require('node:timers/promises');
const { parseArgs } = require('node:util');
const express = require('express');
const session = require('express-session');
const { WebSocketServer } = require('ws');

/** What may be wrong with it, on purpose. */
const BUGS = ['wrong-price', 'lost-session', 'no-websocket', 'cut-stream'];

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    database: { type: 'string', default: 'sessions.db' },
    bug: { type: 'string', multiple: true, default: [] },
  },
});
for (const bug of values.bug) if (!BUGS.includes(bug)) throw new Error(`'--bug' must be one of ${BUGS}, got '${bug}'`);
const has = (bug) => values.bug.includes(bug);

/** Sessions that both sides know. */
class DatabaseStore extends session.Store {
  database = new DatabaseSync(values.database, { timeout: 5000 });

  constructor() {
    super();
    this.database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF');
    this.database.exec('CREATE TABLE IF NOT EXISTS sessions (id TEXT PRIMARY KEY, data TEXT NOT NULL) STRICT');
    this.read = this.database.prepare('SELECT data FROM sessions WHERE id = ?');
    this.write = this.database.prepare('INSERT OR REPLACE INTO sessions (id, data) VALUES (?, ?)');
  }

  get(id, done) {
    const row = this.read.get(id);
    done(null, row ? JSON.parse(row.data) : null);
  }

  set(id, data, done) {
    this.write.run(id, JSON.stringify(data));
    done(null);
  }

  destroy(id, done) {
    this.database.prepare('DELETE FROM sessions WHERE id = ?').run(id);
    done(null);
  }
}

const sessions = session({
  // A store of its own forgets what the other side knows.
  store: has('lost-session') ? new session.MemoryStore() : new DatabaseStore(),
  secret: 'an example',
  resave: false,
  saveUninitialized: false,
});

const app = express();
app.use(express.json(), express.urlencoded({ extended: false }));

app.get('/', (request, response) => response.send('a shop'));

let asked = 0;
app.get('/products/:id', (request, response) => {
  asked += 1;
  const price = 100 + Number(request.params.id);
  // One response in a hundred, and with status 200.
  response.json({ id: request.params.id, price: has('wrong-price') && asked % 100 === 0 ? 0 : price });
});

app.get('/events', async (request, response) => {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  for (let n = 1; !response.destroyed && server.listening; n += 1) {
    response.write(`data: ${JSON.stringify({ price: 100 + (n % 7) })}\n\n`);
    await pause(500);
  }
  response.end();
});

app.post('/v1/chat/completions', async (request, response) => {
  const words = `You said: ${request.body.messages.at(-1).content}`.split(' ');
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  for (const word of words) {
    response.write(`data: ${JSON.stringify({ choices: [{ delta: { content: word } }] })}\n\n`);
    await pause(50);
  }
  if (!has('cut-stream')) response.write('data: [DONE]\n\n');
  response.end();
});

app.use(sessions);

app.get('/login', (request, response) => {
  request.session.csrf ??= randomUUID();
  response.send(`<form method="post"><input type="hidden" name="csrf" value="${request.session.csrf}"></form>`);
});

app.post('/login', (request, response) => {
  if (request.body.csrf !== request.session.csrf) return response.status(403).send('wrong token');
  request.session.user = request.body.user;
  request.session.cart = [];
  response.redirect(303, '/cart');
});

app.get('/cart', (request, response) => {
  if (!request.session.user) return response.status(401).json({ error: 'log in first' });
  response.json({ user: request.session.user, items: request.session.cart });
});

app.post('/cart', (request, response) => {
  if (!request.session.user) return response.status(401).json({ error: 'log in first' });
  request.session.cart = [...request.session.cart, request.body.item].slice(-5);
  response.status(201).json({ item: request.body.item, count: request.session.cart.length });
});

const server = createServer(app);
const chat = new WebSocketServer({ noServer: true });
server.on('upgrade', (request, socket, head) => {
  socket.on('error', () => socket.destroy());
  sessions(request, {}, () => {
    const status = has('no-websocket') ? '403 Forbidden' : request.session?.user ? undefined : '401 Unauthorized';
    if (status) return socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
    chat.handleUpgrade(request, socket, head, (client) => {
      client.send(JSON.stringify({ welcome: request.session.user }));
      client.on('message', (text) => client.send(JSON.stringify({ said: JSON.parse(text).say })));
    });
  });
});
server.listen(Number(values.port), '127.0.0.1', () => console.log(`the shop listens on ${server.address().port}`));
process.on('SIGTERM', () => {
  server.close(() => process.exit(0));
  for (const client of chat.clients) client.close(1001);
});
