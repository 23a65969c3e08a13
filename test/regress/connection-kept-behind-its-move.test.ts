import http from 'node:http';
import net, { type Socket } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';
import type { Forward, Upstream } from '../../proxy/data-plane/contract/data-plane';
import { STAY_REASONS, type StayReason } from '../../proxy/data-plane/contract/handover';
import { type Engine, exchangeBytes, findPort, later, startEngine, stopAll, until } from '../proxy/support/world';

afterEach(stopAll);

const noStays = () => Object.fromEntries(STAY_REASONS.map((reason) => [reason, 0])) as Record<StayReason, number>;

interface Backend {
  readonly upstream: Upstream;
  readonly sockets: readonly WebSocket[];
  /** Of event streams that are open. */
  readonly streams: readonly http.ServerResponse[];
}

/** Says its name to each WebSocket and request; `/events` is a stream. */
async function startNamed(name: string): Promise<Backend> {
  const sockets: WebSocket[] = [];
  const streams: http.ServerResponse[] = [];
  const server = http.createServer((request, response) => {
    if (request.url !== '/events') return void response.end(name);
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(`id: 1\ndata: ${name}\n\n`);
    streams.push(response);
  });
  const open = new Set<Socket>();
  server.on('connection', (socket) => open.add(socket));
  new WebSocketServer({ server }).on('connection', (socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    socket.send(name);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  later(() => {
    server.close();
    for (const socket of open) socket.destroy();
  });
  return { upstream: { protocol: 'http', host: '127.0.0.1', port: findPort(server) }, sockets, streams };
}

async function startScene(): Promise<{ engine: Engine; source: Backend; target: Backend }> {
  const [source, target] = [await startNamed('source'), await startNamed('target')];
  const forward = (): Forward => ({ upstream: source.upstream, record: (upstream) => ({ upstream }) });
  const moves = { mode: 'all' as const, timeoutMs: 10_000, never: [], dropsContextTakeover: false };
  const engine = await startEngine(0, { decide: () => ({ forward: forward() }), resumeForward: forward, moves });
  await until(() => engine.plane.fastPath === 'on');
  return { engine, source, target };
}

/** It was to go to another process, which did not take it. */
async function keepAll({ plane }: Engine): Promise<number> {
  let kept = 0;
  await until(() => {
    for (const departure of plane.handing.departures(noStays())) {
      if (departure.data.type !== 'http1') kept += 1;
      departure.keep();
    }
    return kept > 0;
  });
  return kept;
}

async function move({ ledger }: Engine, kind: 'websocket' | 'serverSentEvents', to: Upstream): Promise<void> {
  const [{ movable } = {}] = [...ledger.closables(kind)];
  expect(await movable!.leave()).toBeUndefined();
  expect(await movable!.join(to, undefined)).toHaveProperty('stallMs');
}

test('a WebSocket that was moved, and was then not taken by the next generation, is known to be where it was moved to', async () => {
  const { engine, source, target } = await startScene();
  const client = new WebSocket(`ws://127.0.0.1:${engine.port}/`);
  later(() => client.terminate());
  const messages: string[] = [];
  client.on('message', (bytes: Buffer) => messages.push(bytes.toString()));
  await until(() => messages.length === 1);
  await move(engine, 'websocket', target.upstream);
  await until(() => messages.length === 2);
  expect(await keepAll(engine)).toBe(1);
  const [entry] = [...engine.ledger.closables('websocket')];
  expect(entry!.destination).toBe(target.upstream);
  // So it can be moved back.
  await move(engine, 'websocket', source.upstream);
  await until(() => messages.length === 3);
  expect(messages).toEqual(['source', 'target', 'source']);
  expect(client.readyState).toBe(WebSocket.OPEN);
});

test('an event stream that was moved, and kept, leaves its connection to the upstream that it is of', async () => {
  const { engine, target } = await startScene();
  const client = net.connect(engine.port, '127.0.0.1');
  later(() => void client.destroy());
  let text = '';
  client.on('data', (bytes: Buffer) => (text += bytes.toString()));
  client.write('GET /events HTTP/1.1\r\nHost: a\r\n\r\n');
  await until(() => text.includes('data: source'));
  await move(engine, 'serverSentEvents', target.upstream);
  target.streams[0]!.write('id: 2\ndata: more\n\n');
  await until(() => text.includes('data: more'));
  expect(await keepAll(engine)).toBe(1);
  const [entry] = [...engine.ledger.closables('serverSentEvents')];
  expect(entry!.destination).toBe(target.upstream);
  target.streams[0]!.end();
  await until(() => text.endsWith('0\r\n\r\n'));
  // The connection to the target is idle now: a request to the source must not get it.
  const response = await exchangeBytes(engine.port, 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  expect(response).toMatch(/\r\n\r\nsource$|\r\nsource\r\n/);
});
