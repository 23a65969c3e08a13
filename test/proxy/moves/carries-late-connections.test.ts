import http, { IncomingMessage } from 'node:http';
import { eachKind } from '../../../core/proxy/connections';
import { get, startBackend, stopAll, until } from '../support/world';
import { Client, Session, connectClient, startApplication, startMoves } from './support/world';

afterEach(stopAll);

const HOUR = { perKindSeconds: eachKind(() => 3600) };

/** A backend of WebSockets that resume, event streams, responses that stream, and handshakes that wait. */
async function startKinds(sessions: Map<string, Session>) {
  const inner = await startApplication(sessions, { noServer: true });
  const slow: (() => void)[] = [];
  const backend = await startBackend((request, response) => {
    const isEvents = request.url === '/events';
    response.writeHead(200, { 'content-type': isEvents ? 'text/event-stream' : 'application/x-ndjson' });
    response.write(isEvents ? 'data: 1\n\n' : '{"n":1}\n');
    if (!isEvents) request.resume().on('end', () => response.end('{"n":2}\n'));
  });
  backend.server.on('upgrade', (request, socket, head) => {
    const accept = () =>
      inner.server.handleUpgrade(request, socket, head, (client) => inner.server.emit('connection', client, request));
    if (request.url === '/slow') slow.push(accept);
    else accept();
  });
  return { port: backend.port, sockets: inner.server.clients, slow };
}

async function startStand(changes: Parameters<typeof startMoves>[3] = {}) {
  const sessions = new Map<string, Session>();
  const [source, target] = [await startApplication(sessions), await startKinds(sessions)];
  const world = await startMoves(source.port, target.port, {}, changes);
  return { ...world, source, target };
}

async function openEvents(port: number): Promise<{ isOver: () => boolean }> {
  let isOver = false;
  const response = await new Promise<IncomingMessage>((resolve, reject) =>
    http.get({ port, path: '/events' }, resolve).on('error', reject),
  );
  response.resume().on('close', () => (isOver = true));
  return { isOver: () => isOver };
}

async function echo({ socket, texts }: Client): Promise<void> {
  const before = texts.length;
  socket.send('7');
  await until(() => texts.length > before);
}

test('who connects where requests go to the other side is carried, holds up no drain, and ends with the proxy', async () => {
  const { proxy, port, order, retarget } = await startStand({ gracePeriodSeconds: 0 });
  const earlier = await connectClient(port);
  await retarget('target', 'none');
  const late = await connectClient(port);
  const events = await openEvents(port);
  const upload = http.request({ port, path: '/lines', method: 'POST' });
  const lines = new Promise<IncomingMessage>((resolve) => upload.on('response', resolve));
  upload.write('x');
  (await lines).resume();
  const counts = () => {
    const { active, carried } = proxy.report();
    return [active.websocket, active.serverSentEvents, active.http + active.streaming, total(carried)];
  };
  // A response with an end of its own is one that a switch waits for.
  await until(() => counts().join() === '1,0,1,2');
  expect(proxy.report()).toMatchObject({
    carried: { websocket: 1, serverSentEvents: 1 },
    ended: { websocket: { moved: 0 } },
  });
  expect(proxy.snapshot()).toMatchObject({ active: { websocket: 2, serverSentEvents: 1 }, isServing: true });

  await order('/drain', { ...HOUR, moves: 'none' });
  upload.end();
  earlier.socket.close();
  await until(() => proxy.report().state === 'drained');
  await echo(late);
  expect([counts(), events.isOver(), late.codes]).toEqual([[0, 0, 0, 2], false, []]);
  // They are what the task has to stay for.
  expect(proxy.snapshot()).toMatchObject({ active: { websocket: 1, serverSentEvents: 1 }, isServing: true });
  const health = JSON.parse((await get({ port, path: '/.drainshift/health' })).body) as object;
  expect(health).toMatchObject({ carried: { websocket: 1, serverSentEvents: 1 } });

  void proxy.shutDown();
  await until(() => late.codes.length === 1 && events.isOver());
  expect(late.codes).toEqual([1012]);
  await until(() => total(proxy.report().carried) === 0);
  expect(proxy.report()).toMatchObject({
    carriedEnded: { websocket: { closed: 1 }, serverSentEvents: { closed: 1 } },
    ended: { websocket: { completed: 1, closed: 0, moved: 0 } },
  });
});

test('a carried connection that never moved comes home with the others, and is live there', async () => {
  const { proxy, port, source, target, order, retarget } = await startStand();
  await retarget('target');
  const late = await connectClient(port);
  await until(() => total(proxy.report().carried) === 1);
  await order('/drain', HOUR);
  await retarget('source', 'none');
  await order('/undrain', {});
  await until(() => source.server.clients.size === 1 && proxy.report().active.websocket === 1);
  await echo(late);
  expect([total(proxy.report().carried), target.sockets.size, late.codes]).toEqual([0, 0, []]);
  expect(proxy.report()).toMatchObject({
    ended: { websocket: { moved: 0 } },
    carriedEnded: { websocket: { moved: 1 } },
  });
});

test('in a hold a connection to the other side is live, for as long as the hold lasts', async () => {
  const { proxy, port, target, order, retarget } = await startStand();
  await retarget('target');
  const connecting = connectClient(port, '/slow');
  await until(() => target.slow.length === 1 && proxy.report().active.http === 1);
  await order('/hold', { epoch: 1, leaseMs: 600_000, maxWaiting: 10 });
  target.slow[0]!();
  const client = await connecting;
  await until(() => proxy.report().active.websocket === 1);
  expect(total(proxy.report().carried)).toBe(0);
  await order('/release', { epoch: 1, to: 'target' });
  await until(() => total(proxy.report().carried) === 1);
  await echo(client);
  expect(proxy.report()).toMatchObject({ active: { websocket: 0 }, ended: { websocket: { moved: 0 } } });
});

function total(counts: Record<string, number> | undefined): number {
  return Object.values(counts ?? {}).reduce((sum, count) => sum + count, 0);
}
