// One replica of a chat: node server.ts. Any number of them serve the same rooms, with a Valkey between them.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { hostname, networkInterfaces } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { type RawData, type WebSocket, WebSocketServer } from 'ws';
import { Rooms, type Entry } from './rooms.ts';
import { watchTarget } from './target-health.ts';

const { HOST = '0.0.0.0', PORT = '8000', SERVER_NAME, VALKEY_URL = 'redis://127.0.0.1:6379' } = process.env;
const { TARGET_GROUP_ARN, VALKEY_PASSWORD } = process.env;
/** Over so long the clients of a replica that goes are told to connect again: not all at once. */
const LEAVE_MS = Number(process.env.LEAVE_MS ?? 1000);
const SERVER = SERVER_NAME ?? (HOST === '0.0.0.0' ? hostname() : HOST);
/** The key of a connection ends by itself when its replica dies. It is renewed three times as often. */
const KEPT_SECONDS = 60;
const SERVICE_RESTART = 1012;

interface Client {
  readonly id: string;
  readonly room: string;
  readonly socket: WebSocket;
  /** Its messages, one after the other. */
  work: Promise<void>;
  /** The newest entry of its room that it was sent; undefined until it has what it missed. */
  last?: string;
}

const rooms = new Rooms({ url: VALKEY_URL, password: VALKEY_PASSWORD, server: SERVER, keptSeconds: KEPT_SECONDS });
const clients = new Map<string, Client>();
let isLeaving = false;

const server = createServer((request, response) => {
  respond(request, response).catch((error: unknown) => {
    console.error(error);
    response.destroy();
  });
});
const webSockets = new WebSocketServer({ noServer: true, maxPayload: 64 * 1024 });
webSockets.on('headers', (lines, request) =>
  lines.push(...replicaCookie(request).map((value) => `Set-Cookie: ${value}`)),
);

let used = { atMs: performance.now(), us: 0 };

/** In percent of one core, since it was asked before. */
function readCpu(): number {
  const { user, system } = process.cpuUsage();
  const now = { atMs: performance.now(), us: user + system };
  const percent = (now.us - used.us) / 10 / (now.atMs - used.atMs);
  used = now;
  return Math.round(percent * 10) / 10;
}

/** For load balancers that keep a client with its replica by a cookie of the application. */
function replicaCookie({ headers }: IncomingMessage): string[] {
  if (/(^|; *)Replica=/.test(headers.cookie ?? '')) return [];
  const isSecure = headers['x-forwarded-proto'] === 'https';
  return [`Replica=${SERVER}; Path=/; HttpOnly; SameSite=Lax${isSecure ? '; Secure' : ''}`];
}

async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { url = '/' } = request;
  const json = (status: number, body: unknown) => {
    const headers = { 'content-type': 'application/json', 'cache-control': 'no-store' };
    response.writeHead(status, { ...headers, 'set-cookie': replicaCookie(request) });
    response.end(JSON.stringify(body));
  };
  const path = url.split('?')[0];
  if (path === '/connections') return json(200, [...clients.keys()]);
  if (path === '/whoami') return json(200, { server: SERVER });
  if (path !== '/health') return json(404, { error: 'not found' });
  const isConnected = await rooms.isConnected();
  json(isConnected && !isLeaving ? 200 : 503, {
    status: isLeaving ? 'leaving' : isConnected ? 'healthy' : 'unhealthy',
    server: SERVER,
    connections: clients.size,
    redis_connected: isConnected,
    memory_usage: process.memoryUsage().rss,
    cpu_usage: readCpu(),
  });
}

const NAME = /^[\w-]{1,64}$/;
const ENTRY = /^\d{1,20}-\d{1,20}$/;

server.on('upgrade', (request, socket, head) => {
  socket.on('error', () => socket.destroy());
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://chat');
  const [id, room] = [searchParams.get('client_id') ?? crypto.randomUUID(), searchParams.get('room') ?? 'lobby'];
  const last = searchParams.get('last') ?? undefined;
  const isValid = NAME.test(id) && NAME.test(room) && (last === undefined || ENTRY.test(last));
  if (pathname !== '/ws' || !isValid) return void socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
  webSockets.handleUpgrade(request, socket, head, (webSocket) => accept({ id, room, socket: webSocket }, last));
});

function accept({ id, room, socket }: Pick<Client, 'id' | 'room' | 'socket'>, last: string | undefined): void {
  const client: Client = { id, room, socket, work: Promise.resolve() };
  // A client that comes back before its old connection was found dead takes its place.
  clients.get(id)?.socket.close(1008, 'connected again');
  clients.set(id, client);
  run(client, () => join(client, last));
  socket.on('message', (data) => run(client, () => take(client, data)));
  socket.on('error', () => undefined);
  socket.on('close', (code) => {
    if (clients.get(id) === client) clients.delete(id);
    rooms.leave(room, client);
    // Who says goodbye is forgotten. Others come back, here or to another replica, and go on where they were: a proxy that
    // asks its clients to connect again says 1001 to a replica, as a page does that is left.
    run(client, () => rooms.forget(id, code === 1000));
  });
  // It came while the others were told to go.
  if (isLeaving) socket.close(SERVICE_RESTART);
}

function run(client: Client, work: () => Promise<void>): void {
  client.work = client.work.then(work).catch((error: unknown) => {
    console.error(error);
    client.socket.close(1011);
  });
}

function send({ socket }: Client, message: object): void {
  if (socket.readyState === socket.OPEN) socket.send(JSON.stringify({ server: SERVER, ...message }));
}

async function join(client: Client, asked: string | undefined): Promise<void> {
  const { id, room } = client;
  // Listening begins before the history is read: what comes between is in both, and sent once.
  const waiting: Entry[] = [];
  const deliver = (entry: Entry) => {
    if (client.last === undefined) return void waiting.push(entry);
    if (rooms.isLater(entry.id, client.last)) show(client, entry);
  };
  await rooms.join(room, client, deliver);
  const state = await rooms.open(id, room);
  const last = asked ?? (await rooms.newest(room));
  send(client, { type: 'welcome', client_id: id, room, last, ...state });
  const missed = await rooms.since(room, last);
  // Not before: what is delivered while the history is read would go first, and the history would be old.
  client.last = last;
  for (const entry of [...missed, ...waiting]) {
    if (rooms.isLater(entry.id, client.last)) show(client, entry);
  }
}

function show(client: Client, { id, from, message_id, text }: Entry): void {
  client.last = id;
  send(client, { type: 'message', entry: id, from, message_id, text });
}

/** A message is kept, counted and published in one step, and then acknowledged. One that comes again is acknowledged again. */
async function take(client: Client, data: RawData): Promise<void> {
  const message = parse(data);
  if (!message) return client.socket.close(1007, 'a message must be JSON with a message_id and a text');
  const state = await rooms.publish(client.room, client.id, message);
  send(client, { type: 'ack', message_id: message.message_id, ...state });
}

function parse(data: RawData): { message_id: number; text: string } | undefined {
  try {
    const { message_id, text } = JSON.parse(String(data)) as { message_id?: unknown; text?: unknown };
    return Number.isSafeInteger(message_id) && typeof text === 'string'
      ? { message_id: message_id as number, text }
      : undefined;
  } catch {
    return undefined;
  }
}

/** Clients are asked to connect again, a few at a time, and each only when what it sent was taken. */
async function leave(): Promise<void> {
  if (isLeaving) return;
  isLeaving = true;
  const all = [...clients.values()];
  for (const client of all) {
    void client.work.then(() => client.socket.close(SERVICE_RESTART, 'this replica goes'));
    await pause(LEAVE_MS / all.length);
  }
}

async function stop(): Promise<void> {
  await leave();
  while (clients.size > 0) await pause(20);
  server.close();
  server.closeAllConnections();
  await rooms.stop();
  process.exit(0);
}

/** By which a load balancer may know this task. */
function listAddresses(): string[] {
  if (HOST !== '0.0.0.0') return [HOST];
  return Object.values(networkInterfaces()).flatMap((each = []) => each.map(({ address }) => address));
}

process.on('SIGTERM', () => void stop());
process.on('SIGINT', () => void stop());
setInterval(() => void rooms.renew([...clients.values()]).catch(console.error), (KEPT_SECONDS * 1000) / 3).unref();
// ECS says nothing before SIGTERM, and the load balancer cuts WebSockets by then: it is asked.
if (TARGET_GROUP_ARN !== undefined) {
  watchTarget({ targetGroupArn: TARGET_GROUP_ARN, ids: listAddresses(), onDraining: () => void leave() });
}
await rooms.start();
server.listen(Number(PORT), HOST, () => {
  const address = server.address();
  console.log(`${SERVER} listens at ${typeof address === 'object' ? address?.port : address}`);
});
