import http from 'node:http';
import http2 from 'node:http2';
import type { Server, Socket } from 'node:net';
import type { DataPlaneOptions, Looked, Notice, Timeouts } from '../../proxy/data-plane/contract/data-plane';
import { get, later, findPort, startEngine, stopAll, until } from '../proxy/support/world';

afterEach(stopAll);

type Protocol = 'HTTP/1.1' | 'HTTP/2';

interface Backend {
  readonly address: string;
  readonly sockets: Set<Socket>;
  requests: number;
  /** Releases the responses that were kept back. */
  readonly kept: (() => void)[];
}

/** One that responds with its own address; what asks for `/slow` waits in `kept`. */
async function startAt(protocol: Protocol, address: string, port: number): Promise<Backend & { port: number }> {
  const backend: Backend = { address, sockets: new Set(), requests: 0, kept: [] };
  const serve = (url: string | undefined, response: () => void) => {
    backend.requests += 1;
    if (url === '/slow') backend.kept.push(response);
    else response();
  };
  const server: Server =
    protocol === 'HTTP/2'
      ? http2.createServer((request, response) => serve(request.url, () => response.end(address)))
      : http.createServer((request, response) => serve(request.url, () => response.end(address)));
  server.on('connection', (socket: Socket) => {
    backend.sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => backend.sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(port, address, resolve));
  later(() => {
    server.close();
    for (const socket of backend.sockets) socket.destroy();
  });
  return Object.assign(backend, { port: findPort(server) });
}

interface LocalCloud {
  readonly backends: Backend[];
  /** What the name means, or the error of its lookup; it holds for a second. */
  names: string[] | Error;
  readonly notices: Notice[];
  lookups: number;
  ask(path?: string): Promise<{ status: number; body: string }>;
}

/** Backends at 127.0.0.1 and so on, one port for all, and an engine that knows them by a name. */
async function startLocalCloud(
  protocol: Protocol,
  count: number,
  timeouts: Partial<Timeouts> = {},
): Promise<LocalCloud> {
  const backends = [await startAt(protocol, '127.0.0.1', 0)];
  const { port } = backends[0]!;
  for (let n = 2; n <= count; n += 1) backends.push(await startAt(protocol, `127.0.0.${n}`, port));
  const lookup = (): Promise<Looked> => {
    cloud.lookups += 1;
    return cloud.names instanceof Error
      ? Promise.reject(cloud.names)
      : Promise.resolve({ addresses: cloud.names, ttlMs: 1 });
  };
  const cloud: LocalCloud = { backends, names: [], notices: [], lookups: 0, ask: () => Promise.reject(new Error()) };
  const upstream = { protocol: 'http', host: 'app.test', port, isHttp2: protocol === 'HTTP/2' } as const;
  const noticed: DataPlaneOptions['noticed'] = (notice) => cloud.notices.push(notice);
  const engine = await startEngine(port, { lookup, timeouts, noticed, decide: () => ({ forward: { upstream } }) });
  cloud.ask = (path = '/') => get({ port: engine.port, path });
  return cloud;
}

async function askMany({ ask }: LocalCloud, count: number): Promise<Record<string, number>> {
  const bodies: Record<string, number> = {};
  for (let n = 0; n < count; n += 1) {
    const { body } = await ask();
    bodies[body] = (bodies[body] ?? 0) + 1;
  }
  return bodies;
}

describe.each(['HTTP/1.1', 'HTTP/2'] as const)('over %s', (protocol) => {
  test('all addresses of a name share the load, one request after the other', async () => {
    const cloud = await startLocalCloud(protocol, 3);
    cloud.names = ['127.0.0.1', '127.0.0.2', '127.0.0.3'];
    expect(await askMany(cloud, 30)).toEqual({ '127.0.0.1': 10, '127.0.0.2': 10, '127.0.0.3': 10 });
    expect(cloud.backends.map(({ sockets }) => sockets.size)).toEqual([1, 1, 1]);
  });

  test('under steady traffic a new address gets requests, and one that is gone ends what it has and gets no more', async () => {
    const cloud = await startLocalCloud(protocol, 2);
    const [old, young] = cloud.backends as [Backend, Backend];
    cloud.names = ['127.0.0.1'];
    const slow = cloud.ask('/slow');
    await until(() => old.kept.length === 1);
    await askMany(cloud, 3);
    cloud.names = ['127.0.0.2'];
    // Never a pause in which a connection could have become idle for long.
    while (young.requests === 0) await cloud.ask();
    const before = old.requests;
    expect(await askMany(cloud, 20)).toEqual({ '127.0.0.2': 20 });
    expect(old.requests).toBe(before);
    old.kept[0]!();
    expect(await slow).toMatchObject({ status: 200, body: '127.0.0.1' });
    await until(() => old.sockets.size === 0);
    expect(cloud.notices.map(({ message, figures }) => [message, figures])).toEqual([
      ['Upstream has other addresses', { name: 'app.test', addresses: ['127.0.0.2'] }],
    ]);
  });

  test('a connection to a name retires by its age, between two requests', async () => {
    const cloud = await startLocalCloud(protocol, 1, { upstreamAgeMs: 100 });
    const [backend] = cloud.backends as [Backend];
    cloud.names = ['127.0.0.1'];
    await cloud.ask();
    const [first] = backend.sockets;
    while (backend.sockets.has(first!)) expect(await cloud.ask()).toMatchObject({ status: 200 });
    // And by itself, where there is no traffic.
    await cloud.ask();
    await until(() => backend.sockets.size === 0);
  });

  test('what the name meant holds while its lookup fails, which is said once', async () => {
    const cloud = await startLocalCloud(protocol, 1);
    cloud.names = ['127.0.0.1'];
    await cloud.ask();
    cloud.names = Object.assign(new Error('queryA ESERVFAIL app.test'), { code: 'ESERVFAIL' });
    const before = cloud.lookups;
    while (cloud.lookups < before + 2) expect(await cloud.ask()).toMatchObject({ status: 200 });
    expect(cloud.notices).toEqual([
      {
        level: 'warn',
        message: 'The lookup of the upstream failed',
        figures: { name: 'app.test', code: 'ESERVFAIL', why: 'queryA ESERVFAIL app.test', addresses: ['127.0.0.1'] },
      },
    ]);
  });

  test('an address that takes no connection costs no request, and another one serves', async () => {
    const cloud = await startLocalCloud(protocol, 1);
    cloud.names = ['127.0.0.9', '127.0.0.1'];
    expect(await askMany(cloud, 10)).toEqual({ '127.0.0.1': 10 });
  });

  test('a name that no one knows is said so, and is asked for again', async () => {
    const cloud = await startLocalCloud(protocol, 1);
    cloud.names = Object.assign(new Error('getaddrinfo ENOTFOUND app.test'), { code: 'ENOTFOUND' });
    expect(await cloud.ask()).toMatchObject({ status: 502, body: 'nameNotFound' });
    cloud.names = ['127.0.0.1'];
    expect(await cloud.ask()).toMatchObject({ status: 200 });
  });
});
