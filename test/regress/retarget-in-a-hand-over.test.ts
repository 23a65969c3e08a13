import http from 'node:http';
import type { Socket } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';
import { Mover } from '../../proxy/control/mover';
import type { Forward, Upstream } from '../../proxy/data-plane/contract/data-plane';
import type { LedgerEntry } from '../../proxy/data-plane/contract/ledger';
import { type Departure, STAY_REASONS, type StayReason } from '../../proxy/data-plane/contract/handover';
import { SYSTEM_CLOCK } from '../../proxy/process/clock';
import { findPort, later, startEngine, stopAll, until } from '../proxy/support/world';

afterEach(stopAll);

const noStays = () => Object.fromEntries(STAY_REASONS.map((reason) => [reason, 0])) as Record<StayReason, number>;

/** Says its name to each WebSocket. */
async function startNamed(name: string): Promise<Upstream> {
  const server = http.createServer();
  const open = new Set<Socket>();
  server.on('connection', (socket) => open.add(socket));
  new WebSocketServer({ server }).on('connection', (socket) => {
    socket.on('error', () => undefined);
    socket.send(name);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  later(() => {
    server.close();
    for (const socket of open) socket.destroy();
  });
  return { protocol: 'http', host: '127.0.0.1', port: findPort(server) };
}

test('a connection that a retarget is to move stays for that: it goes over when it has moved', async () => {
  const [source, target] = [await startNamed('source'), await startNamed('target')];
  const forward = (): Forward => ({ upstream: source, record: (upstream) => ({ upstream }) });
  const moves = { mode: 'all' as const, timeoutMs: 10_000, never: [], dropsContextTakeover: false };
  const found: { mover?: Mover } = {};
  const isAwaited = (entry: LedgerEntry) => found.mover!.isAwaited(entry);
  const options = { decide: () => ({ forward: forward() }), resumeForward: forward, moves, isAwaited };
  const { ledger, plane, port } = await startEngine(0, options);
  await until(() => plane.fastPath === 'on');
  const mover = new Mover({
    ...{ ledger, clock: SYSTEM_CLOCK, mode: 'all', concurrency: 1, closeRatePerSecond: 1_000, own: source },
    ...{ epoch: () => undefined, rejected: () => undefined, faulted: () => undefined },
  });
  found.mover = mover;
  later(() => mover.stop());
  const clients = [0, 1].map(() => new WebSocket(`ws://127.0.0.1:${port}/`));
  later(() => clients.forEach((client) => client.terminate()));
  const messages: string[] = [];
  for (const client of clients) client.on('message', (bytes: Buffer) => messages.push(bytes.toString()));
  await until(() => messages.length === 2);
  mover.retarget(target, undefined);
  // One is on its way, the other one waits for its turn.
  const stays = noStays();
  expect([...plane.handing.departures(stays)]).toEqual([]);
  expect(stays.moving).toBe(2);
  await until(() => messages.length === 4);
  expect(messages.slice(2)).toEqual(['target', 'target']);
  let departures: Departure[] = [];
  await until(() => (departures = [...departures, ...plane.handing.departures(noStays())]).length === 2);
  for (const departure of departures) departure.keep();
});

test.each(['retarget', 'hold'] as const)(
  'a connection that is between two processes at a %s is moved when it is known where it is, and not closed',
  async (order) => {
    const [source, target] = [await startNamed('source'), await startNamed('target')];
    const forward = (): Forward => ({ upstream: source, record: (upstream) => ({ upstream }) });
    const moves = { mode: 'all' as const, timeoutMs: 10_000, never: [], dropsContextTakeover: false };
    const engine = await startEngine(0, { decide: () => ({ forward: forward() }), resumeForward: forward, moves });
    const { ledger, plane } = engine;
    await until(() => plane.fastPath === 'on');
    const rejections: string[] = [];
    const mover = new Mover({
      ...{ ledger, clock: SYSTEM_CLOCK, mode: 'all', concurrency: 8, closeRatePerSecond: 1_000, own: source },
      epoch: () => undefined,
      rejected: (rejection) => void rejections.push(rejection),
      faulted: (error) => void rejections.push(String(error)),
    });
    later(() => mover.stop());
    const client = new WebSocket(`ws://127.0.0.1:${engine.port}/`);
    later(() => client.terminate());
    const messages: string[] = [];
    client.on('message', (bytes: Buffer) => messages.push(bytes.toString()));
    client.on('close', (code) => messages.push(`close ${code}`));
    await until(() => messages.length === 1);

    const departures: Departure[] = [];
    await until(() => departures.push(...plane.handing.departures(noStays())) > 0);
    const closed: unknown[] = [];
    const leaveAll = () => mover.leaveAll(undefined, (entry) => void closed.push(entry.close()));
    if (order === 'retarget') mover.retarget(target, undefined);
    else {
      mover.beginHold(source);
      leaveAll();
    }
    for (const departure of departures) departure.keep();
    if (order === 'hold') {
      leaveAll();
      await until(() => ledger.carried.websocket === 1);
      mover.endHold(target);
    }
    await until(() => messages.length === 2);
    expect(messages).toEqual(['source', 'target']);
    expect([...rejections, ...closed]).toEqual([]);
  },
);
