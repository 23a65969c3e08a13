import http from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';
import type { Side } from '../../../core/traffic/weights';
import { ProxyChanges, TestProxy, callAdmin, startTestProxy } from '../support/proxy-world';
import { Got, get, later, startBackend, stopAll, until } from '../support/world';

afterEach(stopAll);

interface Backend {
  readonly port: number;
  readonly server: http.Server;
  /** The requests that reached it, in their order. */
  readonly seen: string[];
  /** Responds to what came to `/slow`. */
  finishSlow(): void;
}

/** Responds with its side and the path, `/slow` when it is told to, and to a POST with the bytes that it received. */
async function startSide(side: Side): Promise<Backend> {
  const seen: string[] = [];
  const slow: (() => void)[] = [];
  const { port, server } = await startBackend((request, response) => {
    seen.push(request.url ?? '');
    let bytes = 0;
    request.on('data', (chunk: Buffer) => (bytes += chunk.length));
    request.on('end', () => {
      const respond = () => response.end(request.method === 'POST' ? `${side} ${bytes}` : `${side} ${request.url}\n`);
      if (request.url === '/slow') slow.push(respond);
      else respond();
    });
  });
  return { port, server, seen, finishSlow: () => slow.splice(0).forEach((response) => response()) };
}

interface LocalCloud {
  readonly source: Backend;
  readonly target: Backend;
  readonly proxy: TestProxy;
  readonly data: number;
  /** Calls the admin API, and expects it to agree. */
  order(path: string, body: object): Promise<void>;
  hold(changes?: object): Promise<void>;
  waiting(count: number): Promise<void>;
  /** As many round trips through the proxy as an error needs to show, without a look at the clock. */
  settle(): Promise<void>;
}

async function cloud(changes: ProxyChanges = {}): Promise<LocalCloud> {
  const [source, target] = [await startSide('source'), await startSide('target')];
  const otherUpstream = { protocol: 'http' as const, host: '127.0.0.1', port: target.port };
  const proxy = await startTestProxy(source.port, { otherUpstream, ...changes });
  const order = async (path: string, body: object) => {
    const got = await callAdmin(proxy.admin?.port ?? 0, { method: 'POST', path, body: JSON.stringify(body) });
    expect([got.status, got.body]).toEqual([202, expect.any(String)]);
  };
  return {
    source,
    target,
    proxy,
    data: proxy.data.port,
    order,
    hold: (parts = {}) => order('/hold', { epoch: 1, leaseMs: 600_000, maxWaiting: 1_000, ...parts }),
    waiting: (count) => until(() => proxy.report().hold.waiting === count),
    settle: async () => {
      for (let at = 0; at < 50; at += 1) await callAdmin(proxy.admin?.port ?? 0, { path: '/drain-status' });
    },
  };
}

/** A client on one connection of its own. */
class RawClient {
  text = '';
  isClosed = false;
  readonly socket: net.Socket;

  constructor(port: number) {
    this.socket = net.connect(port, '127.0.0.1');
    this.socket.on('data', (bytes) => (this.text += bytes.toString('latin1')));
    this.socket.on('error', () => undefined);
    this.socket.on('close', () => (this.isClosed = true));
    later(() => void this.socket.destroy());
  }

  get(...paths: string[]): void {
    this.socket.write(paths.map((path) => `GET ${path} HTTP/1.1\r\nHost: shop.example\r\n\r\n`).join(''));
  }

  /** The bodies of the responses, as they came. */
  get responses(): string[] {
    return this.text.match(/(source|target) \/\S+/g) ?? [];
  }
}

test('requests park while those under way end, and all get a response from the side that they are released to', async () => {
  const { source, target, proxy, data, hold, order, waiting } = await cloud();
  const slow = get({ port: data, path: '/slow' });
  await until(() => source.seen.length === 1);
  await hold();
  const paths = Array.from({ length: 40 }, (_, at) => `/${at}`);
  const parked = paths.map((path) => get({ port: data, path }));
  await waiting(40);
  expect(proxy.report().active.http).toBe(1);
  source.finishSlow();
  expect((await slow).body).toBe('source /slow\n');
  await until(() => proxy.report().active.http === 0);
  expect(proxy.report().hold).toMatchObject({ state: 'holding', epoch: 1, waiting: 40 });
  expect([source.seen, target.seen]).toEqual([['/slow'], []]);

  await order('/release', { epoch: 1, to: 'target' });
  expect((await Promise.all(parked)).map(({ status, body }) => [status, body])).toEqual(
    paths.map((path) => [200, `target ${path}\n`]),
  );
  expect([...target.seen].sort()).toEqual([...paths].sort());
  expect(source.seen).toEqual(['/slow']);
  await until(() => proxy.report().active.http === 0);
  expect(proxy.report()).toMatchObject({
    hold: { state: 'none', epoch: 1, waiting: 0, leaseRemainingMs: 0, isOfSwitch: false },
    upstream: 'target',
    requests: { total: 41, responded: 41, errors: 0 },
  });
  expect((await get({ port: data, path: '/after' })).body).toBe('target /after\n');
});

test('pipelined requests get a response in their order', async () => {
  const { source, target, data, hold, order, settle, proxy } = await cloud();
  const client = new RawClient(data);
  await hold();
  client.get('/1', '/2', '/3', '/4');
  await until(() => proxy.report().hold.waiting > 0);
  await settle();
  expect([source.seen, target.seen, client.text]).toEqual([[], [], '']);
  await order('/release', { epoch: 1, to: 'target' });
  await until(() => client.responses.length === 4);
  expect(client.responses).toEqual(['target /1', 'target /2', 'target /3', 'target /4']);
  expect(target.seen).toEqual(['/1', '/2', '/3', '/4']);
});

test('a request behind one that is under way parks, and its connection keeps its order', async () => {
  const { source, target, data, hold, order, settle } = await cloud();
  const client = new RawClient(data);
  client.get('/slow');
  await until(() => source.seen.length === 1);
  await hold();
  client.get('/behind');
  await settle();
  source.finishSlow();
  await until(() => client.responses.length === 1);
  await settle();
  expect([source.seen, target.seen]).toEqual([['/slow'], []]);
  await order('/release', { epoch: 1, to: 'target' });
  await until(() => client.responses.length === 2);
  expect(client.responses).toEqual(['source /slow', 'target /behind']);
});

test('who finds no room is rejected with a time to come back, and those who wait get a response', async () => {
  const { data, hold, order, waiting, source } = await cloud();
  await hold({ maxWaiting: 2 });
  const parked = [get({ port: data, path: '/a' }), get({ port: data, path: '/b' })];
  await waiting(2);
  const refused = await get({ port: data, path: '/c' });
  expect(refused).toMatchObject({ status: 503, headers: { 'retry-after': '2' } });
  await order('/release', { epoch: 1, to: 'source' });
  expect((await Promise.all(parked)).map(({ body }) => body)).toEqual(['source /a\n', 'source /b\n']);
  expect([...source.seen].sort()).toEqual(['/a', '/b']);
});

test('when the lease has ended, what is parked goes to the side in force', async () => {
  const { data, hold, source, proxy } = await cloud();
  await hold({ leaseMs: 100 });
  expect((await get({ port: data, path: '/a' })).body).toBe('source /a\n');
  expect(proxy.report().hold).toEqual({ state: 'none', epoch: 1, waiting: 0, leaseRemainingMs: 0, isOfSwitch: false });
  expect(source.seen).toEqual(['/a']);
});

test('a client that leaves while it is parked is forgotten', async () => {
  const { source, target, data, hold, order, waiting } = await cloud();
  await hold();
  const leaving = new RawClient(data);
  leaving.get('/leaves');
  await waiting(1);
  const staying = get({ port: data, path: '/stays' });
  await waiting(2);
  leaving.socket.destroy();
  await waiting(1);
  await order('/release', { epoch: 1, to: 'target' });
  expect((await staying).body).toBe('target /stays\n');
  expect([source.seen, target.seen]).toEqual([[], ['/stays']]);
});

test("the body of a parked request stays in its client's socket, and comes whole in the end", async () => {
  const { target, data, hold, order, waiting, settle } = await cloud();
  await hold();
  const client = new RawClient(data);
  const length = 64 * 1024 * 1024;
  let isSent = false;
  client.socket.write(`POST /upload HTTP/1.1\r\nHost: shop.example\r\nContent-Length: ${length}\r\n\r\n`);
  client.socket.write(Buffer.alloc(length), () => (isSent = true));
  await waiting(1);
  await settle();
  expect(isSent).toBe(false);
  await order('/release', { epoch: 1, to: 'target' });
  await until(() => client.text.includes(`target ${length}`));
  expect(target.seen).toEqual(['/upload']);
});

test('health checks get a response while requests are held', async () => {
  const { data, hold, proxy } = await cloud();
  await hold({ maxWaiting: 0 });
  expect(await get({ port: data, path: '/.drainshift/health' })).toMatchObject({ status: 200 });
  expect(proxy.report().hold).toMatchObject({ state: 'holding', waiting: 0 });
});

test('a shutdown ends a hold, and everything gets a response', async () => {
  const { data, hold, waiting, proxy } = await cloud();
  await hold();
  const parked = [get({ port: data, path: '/a' }), get({ port: data, path: '/b' })];
  await waiting(2);
  const ended = proxy.shutDown();
  expect((await Promise.all(parked)).map(({ body }) => body)).toEqual(['source /a\n', 'source /b\n']);
  await ended;
});

describe('over HTTP/2', () => {
  test('streams park one by one, and one that is cancelled is forgotten', async () => {
    const { data, hold, order, waiting, target } = await cloud({ tls: 'self-signed' });
    await hold();
    const session = http2.connect(`https://127.0.0.1:${data}`, { rejectUnauthorized: false });
    later(() => session.destroy());
    const streams = ['/a', '/b', '/c'].map((path) => session.request({ ':path': path }));
    await waiting(3);
    streams[1]?.close(http2.constants.NGHTTP2_CANCEL);
    await waiting(2);
    await order('/release', { epoch: 1, to: 'target' });
    const bodies = [streams[0]!, streams[2]!].map(
      (stream) =>
        new Promise<string>((resolve) => {
          let body = '';
          stream.on('data', (bytes: Buffer) => (body += bytes.toString()));
          stream.on('end', () => resolve(body));
        }),
    );
    expect(await Promise.all(bodies)).toEqual(['target /a\n', 'target /c\n']);
    expect([...target.seen].sort()).toEqual(['/a', '/c']);
  });
});

describe('a WebSocket', () => {
  /** Both sides accept WebSockets and respond to each message with their side. */
  function echo(backend: Backend, side: Side): string[] {
    const messages: string[] = [];
    const server = new WebSocketServer({ server: backend.server });
    server.on('connection', (socket) => {
      socket.on('message', (data: Buffer) => {
        messages.push(data.toString());
        socket.send(`${side} ${data.toString()}`);
      });
    });
    later(() => server.clients.forEach((client) => client.terminate()));
    return messages;
  }

  function connect(port: number): { socket: WebSocket; got: string[] } {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
    const got: string[] = [];
    socket.on('message', (data: Buffer) => got.push(data.toString()));
    later(() => socket.terminate());
    return { socket, got };
  }

  test('is not heard while requests are held, and loses nothing', async () => {
    const { source, data, hold, order, settle } = await cloud();
    const heard = echo(source, 'source');
    const { socket, got } = connect(data);
    await new Promise((resolve) => socket.once('open', resolve));
    socket.send('before');
    await until(() => got.length === 1);
    await hold();
    for (let at = 0; at < 100; at += 1) socket.send(`held ${at}`);
    await settle();
    // The frame that was under way when the hold began may pass, and nothing behind it.
    expect(heard.length).toBeLessThanOrEqual(2);
    await order('/release', { epoch: 1, to: 'source' });
    await until(() => got.length === 101);
    expect(heard).toEqual(['before', ...Array.from({ length: 100 }, (_, at) => `held ${at}`)]);
  });

  test('that opens meanwhile is opened by the side that it is released to', async () => {
    const { source, target, data, hold, order, waiting } = await cloud();
    echo(source, 'source');
    echo(target, 'target');
    await hold();
    const { socket, got } = connect(data);
    await waiting(1);
    expect(socket.readyState).toBe(WebSocket.CONNECTING);
    await order('/release', { epoch: 1, to: 'target' });
    await new Promise((resolve) => socket.once('open', resolve));
    socket.send('hello');
    await until(() => got.length === 1);
    expect(got).toEqual(['target hello']);
  });
});

describe('retarget', () => {
  test('sends the next request of every connection to the other upstream, and back', async () => {
    const { data, order, proxy } = await cloud();
    const client = new RawClient(data);
    for (const [at, to] of (['source', 'target', 'source'] as const).entries()) {
      await order('/retarget', { to });
      client.get(`/${at}`);
      await until(() => client.responses.length === at + 1);
      expect(proxy.report().upstream).toBe(to);
    }
    expect(client.responses).toEqual(['source /0', 'target /1', 'source /2']);
    expect(client.isClosed).toBe(false);
  });

  test('leaves a request that is under way where it is', async () => {
    const { source, data, order } = await cloud();
    const slow = get({ port: data, path: '/slow' });
    await until(() => source.seen.length === 1);
    await order('/retarget', { to: 'target' });
    expect((await get({ port: data, path: '/new' })).body).toBe('target /new\n');
    source.finishSlow();
    expect((await slow).body).toBe('source /slow\n');
  });

  test('is rejected where no other upstream is configured', async () => {
    const { proxy } = await cloud({ otherUpstream: undefined });
    const refused: Got[] = [];
    const call = async (path: string, body: object) =>
      refused.push(await callAdmin(proxy.admin?.port ?? 0, { method: 'POST', path, body: JSON.stringify(body) }));
    await call('/retarget', { to: 'target' });
    await call('/hold', { epoch: 1, leaseMs: 600_000, maxWaiting: 1 });
    await call('/release', { epoch: 1, to: 'target' });
    expect(refused.map(({ status }) => status)).toEqual([409, 202, 409]);
    expect(JSON.parse(refused[0]?.body ?? '')).toEqual({
      problems: ["'other_upstream' must be configured to go to 'target', got nothing"],
    });
    expect(proxy.report().hold.state).toBe('holding');
    await call('/release', { epoch: 1, to: 'source' });
    expect(refused.at(-1)?.status).toBe(202);
  });
});
