import http from 'node:http';
import net from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';
import type { ConnectionPage, ConnectionSnapshot } from '../../../core/proxy/connection-list';
import { callAdmin, startTestProxy } from '../support/proxy-world';
import { later, startBackend, stopAll, until } from '../support/world';

afterEach(stopAll);

async function list(port: number, query = ''): Promise<ConnectionPage> {
  return JSON.parse((await callAdmin(port, { path: `/connections${query}` })).body) as ConnectionPage;
}

async function listAll(port: number, query = ''): Promise<ConnectionSnapshot[]> {
  return [...(await list(port, query)).connections];
}

/** A backend with a WebSocket, an event stream, a download that does not end, and a request without a response. */
async function startSome() {
  const backend = await startBackend((request, response) => {
    const [, name = ''] = (request.url ?? '').split(/[/?]/);
    if (name === 'feed') response.writeHead(200, { 'content-type': 'text/event-stream' }).write('id: 1\ndata: a\n\n');
    if (name === 'file') response.writeHead(200).write('abc');
  });
  const sockets = new WebSocketServer({ server: backend.server });
  sockets.on('connection', (socket) => socket.on('message', (data) => socket.send(data)));
  later(() => sockets.close());
  const upstream = { protocol: 'http' as const, host: '127.0.0.1', port: backend.port };
  const moves = {
    mode: 'resumable',
    timeoutMs: 1_000,
    concurrency: 1,
    never: [],
    dropsContextTakeover: false,
  } as const;
  const proxy = await startTestProxy(backend.port, { moves, otherUpstream: { ...upstream } });
  const ask = (path: string, headers = {}) => {
    const request = http.get({ port: proxy.data.port, path, agent: false, headers }, (got) => got.resume());
    request.on('error', () => undefined);
    later(() => void request.destroy());
    return request;
  };
  return { proxy, backend, ask, admin: proxy.admin!.port };
}

test('what is live is shown with its kind, state, age, bytes, client and path, and nothing that could be a secret', async () => {
  const { proxy, ask, admin } = await startSome();
  const secret = { cookie: 'session=secret', authorization: 'Bearer secret', 'x-forwarded-for': '10.9.8.7, 192.0.2.1' };
  ask('/slow/7?token=secret', secret);
  ask('/feed?token=secret', secret);
  ask('/file?token=secret');
  const socket = new WebSocket(`ws://127.0.0.1:${proxy.data.port}/socket?token=secret`, { headers: secret });
  later(() => socket.terminate());
  socket.on('open', () => socket.send('hello'));
  await new Promise((resolve) => socket.once('message', resolve));
  await until(async () => (await listAll(admin)).filter(({ state }) => state !== 'awaiting').length === 3);
  const shown = await callAdmin(admin, { path: '/connections' });
  expect(shown.body).not.toContain('secret');
  const all = (JSON.parse(shown.body) as ConnectionPage).connections;
  const found = Object.fromEntries(all.map((connection) => [connection.path, connection]));
  const common = {
    id: expect.stringMatching(/^1-\d+$/) as string,
    ageSeconds: expect.any(Number) as number,
    upstream: 'source',
  };
  expect(found).toEqual({
    '/slow/7': {
      ...common,
      ...{ kind: 'http', state: 'awaiting', client: '192.0.2.1', path: '/slow/7' },
      ...{ bytes: { received: 0, sent: 0 }, movable: false, rejection: 'kind' },
    },
    '/feed': {
      ...common,
      ...{ kind: 'serverSentEvents', state: 'responding', client: '192.0.2.1', path: '/feed' },
      ...{ bytes: { received: 0, sent: 15 }, movable: true },
    },
    '/file': {
      ...common,
      ...{ kind: 'http', state: 'responding', client: '127.0.0.1', path: '/file' },
      ...{ bytes: { received: 0, sent: 3 }, movable: false, rejection: 'kind' },
    },
    '/socket': {
      ...common,
      ...{ kind: 'websocket', state: 'open', client: '192.0.2.1', path: '/socket' },
      ...{ bytes: { received: 11, sent: 7 }, movable: false, rejection: expect.any(String) as string },
    },
  });
  expect((await listAll(admin, '?kind=websocket,serverSentEvents')).map(({ kind }) => kind).sort()).toEqual([
    'serverSentEvents',
    'websocket',
  ]);
  socket.close();
  await until(async () => (await listAll(admin, '?kind=websocket')).length === 0);
});

test('a list goes on where it ended, whatever comes and goes meanwhile', async () => {
  const { ask, admin } = await startSome();
  const requests = Array.from({ length: 12 }, (_, index) => ask(`/slow/${index}`));
  await until(async () => (await listAll(admin)).length === 12);
  const all = await listAll(admin);
  expect(new Set(all.map(({ id }) => id)).size).toBe(12);
  const first = await list(admin, '?limit=5');
  expect(first.connections.map(({ id }) => id)).toEqual(all.slice(0, 5).map(({ id }) => id));
  const gone = [2, 4, 7].map((index) => all[index]!.path);
  for (const path of gone) requests[Number(path.slice('/slow/'.length))]!.destroy();
  await until(async () => (await listAll(admin)).length === 9);
  ask('/slow/late');
  await until(async () => (await listAll(admin)).length === 10);
  const second = await list(admin, `?limit=5&after=${first.next}`);
  const third = await list(admin, `?limit=5&after=${second.next}`);
  const rest = [...all.slice(5).map(({ path }) => path), '/slow/late'].filter((path) => !gone.includes(path));
  expect([...second.connections, ...third.connections].map(({ path }) => path)).toEqual(rest);
  expect(third.next).toBeUndefined();
});

test('a call that asks for what there is not gets what there is', async () => {
  const { admin } = await startSome();
  const got = await callAdmin(admin, { path: '/connections?kind=ws&limit=0' });
  expect([got.status, JSON.parse(got.body)]).toEqual([
    400,
    {
      problems: [
        "'limit' must be an integer from 1 to 1000, got 0",
        '\'kind\' must be one of http, websocket, grpcStream, serverSentEvents, streaming, got "ws"',
      ],
    },
  ]);
  // The query is signed as all of the call.
  const forged = await callAdmin(admin, { path: '/connections?limit=1', secret: 'another-secret-of-a-test' });
  expect(forged.status).toBe(401);
});

test('a WebSocket that is closing says so', async () => {
  const { proxy, admin } = await startSome();
  const socket = net.connect(proxy.data.port, '127.0.0.1');
  later(() => void socket.destroy());
  socket.write(
    'GET /raw HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
  );
  await until(async () => (await listAll(admin, '?kind=websocket')).length === 1);
  await callAdmin(admin, {
    method: 'POST',
    path: '/drain',
    body: JSON.stringify({ perKindSeconds: { websocket: 0 }, closeRatePerSecond: 1_000 }),
  });
  // It does not respond to the Close.
  await until(async () => (await listAll(admin))[0]?.state === 'closing');
});
