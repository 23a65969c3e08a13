import { IncomingMessage, Server, ServerResponse, createServer } from 'node:http';
import { AddressInfo } from 'node:net';
import { Duplex } from 'node:stream';
import { SIDES, Side } from '../../core/traffic/weights';
import { announceReady, entryOptions } from '../processes/entry';
import type { BackendOptions } from './backend';
import { chat } from './chat';
import { Clock } from './clock';
import { Counter } from './counter';
import { Hook, readJson } from './hook';
import { ShopResponse, addToCart, echo, login, showCart } from './shop';
import { OwnStore } from './own-store';
import { StoreClient } from './store-client';
import { ValkeyStore } from './valkey-store';
import type { Store } from './store-state';
import { MemoryStore, createMemoryStore } from './memory-store';
import { logKey, write } from './writes';

// Entry: the default backend of one side. Plain HTTP/1.1 with Node's own timeouts, as most apps have them.

const {
  side,
  addresses,
  storeUrl,
  statePath,
  valkeyUrl,
  host = '127.0.0.1',
  port = 0,
  smoke = [],
} = entryOptions<BackendOptions>();

const hook = new Hook();
const DIGEST_PATH = '/internal/digest';

/** Whose host it runs on. */
const findSide = ({ socket }: IncomingMessage): Side =>
  SIDES.find((each) => addresses?.[each] === socket.remoteAddress) ?? side;

type Route = (request: IncomingMessage, store: Store) => Promise<ShopResponse>;
const ROUTES: Readonly<Record<string, Route>> = {
  'GET /': (request) => Promise.resolve({ status: 200, body: { side: findSide(request) } }),
  'GET /hops': (request) => Promise.resolve({ status: 200, body: findHops(request) }),
  'POST /login': (_request, store) => login(store),
  'GET /cart': showCart,
  'POST /cart': addToCart,
  // Where the log of writes is in its memory.
  'GET /writes/source': async (_request, store) => ({ status: 200, body: await store.readLog(logKey('source')) }),
  'GET /writes/target': async (_request, store) => ({ status: 200, body: await store.readLog(logKey('target')) }),
  'POST /echo': (request) => echo(request),
  'POST /writes': (request, store) =>
    hook.isFrozen
      ? Promise.resolve({ status: 423, body: { error: 'frozen' } })
      : write(request, findSide(request), store),
};

void start();

async function start(): Promise<void> {
  const memory = storeUrl === undefined ? createMemoryStore() : undefined;
  const shared = memory ?? (await StoreClient.open(storeUrl!));
  const own = statePath === undefined ? undefined : new OwnStore(statePath, shared);
  const store = own ?? (valkeyUrl === undefined ? shared : new ValkeyStore(valkeyUrl, shared));
  const counter = new Counter(findSide, store);
  const clock = new Clock(store);
  const server = createServer((request, response) => {
    response.shouldKeepAlive &&= server.listening;
    if (own?.handle(request, response)) return;
    if (memory && request.url === DIGEST_PATH) {
      return void respondDigest(request, response, memory);
    }
    respond(request, response, store, clock).catch((error: unknown) => fail(request, response, error));
  });
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => socket.destroy());
    const { pathname, searchParams } = formatUrl(request);
    const client = searchParams.get('client');
    if (pathname === '/ws/counter' && client !== null) {
      return void counter.upgrade(request, socket, head, client).catch(() => socket.destroy());
    }
    socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
  });
  process.once('SIGTERM', () => stop(server, counter, clock));
  server.listen(port, host, () => {
    announceReady({ url: `http://${host}:${(server.address() as AddressInfo).port}` });
  });
}

/** As `verifyPath` of a plan is called. */
async function respondDigest(request: IncomingMessage, response: ServerResponse, memory: MemoryStore): Promise<void> {
  const { epoch } = ((await readJson(request)) ?? {}) as { readonly epoch?: unknown };
  reply(request, response, { status: 200, body: { ok: true, epoch, digest: memory.digest() } });
}

async function respond(request: IncomingMessage, response: ServerResponse, store: Store, clock: Clock): Promise<void> {
  response.setHeader('x-backend', findSide(request));
  const { pathname, searchParams } = formatUrl(request);
  const client = searchParams.get('client');
  if (request.method === 'GET' && pathname === '/clock' && client !== null) {
    return clock.stream(request, response, client);
  }
  if (request.method === 'POST' && pathname === '/chat') return chat(request, response);
  const called = hook.respond(request, () => readJson(request));
  if (called) return reply(request, response, await called);
  const route = ROUTES[`${request.method === 'HEAD' ? 'GET' : request.method} ${pathname}`];
  reply(request, response, route ? await route(request, store) : smokeResponse(request));
}

/** What an application finds its client's address in. */
function findHops({ socket, headers }: IncomingMessage) {
  return { connectedFrom: socket.remoteAddress, forwardedFor: headers['x-forwarded-for'] };
}

/** The pages that the plan asks for stand for those of the user's application. */
function smokeResponse(request: IncomingMessage): ShopResponse {
  const { method, url } = request;
  const asked = method === 'GET' ? smoke.find(({ path }) => path === url) : undefined;
  if (asked) return { status: asked.expectedStatus, body: { side: findSide(request) } };
  return { status: 404, body: { error: 'no such page' } };
}

function reply(request: IncomingMessage, response: ServerResponse, { status, headers, body }: ShopResponse): void {
  const json = JSON.stringify(body);
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(json),
    ...headers,
  });
  response.end(json);
  request.resume();
}

function fail(request: IncomingMessage, response: ServerResponse, error: unknown): void {
  if (response.headersSent) return void response.destroy();
  reply(request, response, { status: 500, body: { error: error instanceof Error ? error.message : String(error) } });
}

function formatUrl(request: IncomingMessage): URL {
  return URL.parse(`http://backend${request.url}`) ?? new URL('http://backend/malformed');
}

/**
 * Everything that was received gets a response; then each connection ends in its protocol's own way. The server counts
 * upgraded connections too, so that its close comes after the last of them.
 */
function stop(server: Server, counter: Counter, clock: Clock): void {
  server.close(() => process.exit(0));
  counter.closeAll();
  clock.closeAll();
  setInterval(() => server.closeIdleConnections(), 50);
}
