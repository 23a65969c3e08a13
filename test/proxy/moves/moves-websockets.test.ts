import { startEngine, stopAll, until } from '../support/world';
import { Client, MOVES, Session, connectClient, startApplication, startMoves } from './support/world';

afterEach(stopAll);

const range = (count: number) => Array.from({ length: count }, (_, at) => at + 1);

/** Sends numbered messages and asks for pushed ones, one after the other, until it is told to stop. */
function chat({ socket }: Client): { count: number; stop(): void } {
  const run = { count: 0, stop: () => clearInterval(timer) };
  const timer = setInterval(() => {
    run.count += 1;
    // Some are longer than a read of the kernel's smallest buffers.
    socket.send(`${run.count} ${'x'.repeat(run.count % 7 === 0 ? 40_000 : 20)}`);
    socket.send('push');
  }, 1);
  return run;
}

test('clients that talk all the time are moved back and forth, and lose, double and reorder nothing', async () => {
  const sessions = new Map<string, Session>();
  const [source, target] = [await startApplication(sessions), await startApplication(sessions)];
  const { proxy, port, retarget } = await startMoves(source.port, target.port);
  const clients = await Promise.all(
    range(20).map(() => connectClient(port, '/room?id=7', { headers: { cookie: 'a=b' } })),
  );
  const runs = clients.map(chat);
  for (const [at, to] of (['target', 'source', 'target'] as const).entries()) {
    await until(() => runs.every(({ count }) => count > 20 * (at + 1)));
    await retarget(to);
    const server = to === 'target' ? target.server : source.server;
    await until(() => server.clients.size === clients.length && proxy.report().moves?.underWay === 0);
  }
  for (const run of runs) run.stop();
  await until(() => clients.every(({ texts }, at) => texts.length === 2 * runs[at]!.count));
  const numbers = (texts: string[], word: string) =>
    texts.filter((text) => text.startsWith(word)).map((text) => Number(text.slice(5)));
  for (const [at, { texts, codes }] of clients.entries()) {
    expect(numbers(texts, 'echo')).toEqual(range(runs[at]!.count));
    expect(numbers(texts, 'push')).toEqual(range(runs[at]!.count));
    expect(codes).toEqual([]);
  }
  expect(sessions.size).toBe(clients.length);
  for (const { received, sent } of sessions.values()) expect(received).toHaveLength(sent);
  const { active, carried, ended, carriedEnded, moves } = proxy.report();
  expect([active.websocket, carried?.websocket]).toEqual([0, clients.length]);
  expect([ended.websocket.moved, carriedEnded?.websocket.moved]).toEqual([2 * clients.length, clients.length]);
  expect(moves?.rejected).toEqual({});
  expect(moves?.stall.reduce((sum, count) => sum + count, 0)).toBe(3 * clients.length);
  // Each backend was left with a Close of its own.
  expect([...source.closed, ...target.closed]).toEqual(Array(3 * clients.length).fill(1001));
});

test('the handshake of a move is the first one, with the token and without the offer of another', async () => {
  const sessions = new Map<string, Session>();
  const [source, target] = [await startApplication(sessions), await startApplication(sessions)];
  const { port, retarget } = await startMoves(source.port, target.port);
  const headers = {
    cookie: 'session=s1',
    'x-forwarded-for': '192.0.2.9',
    'X-Drainshift-Resume': 'forged',
    'X-DRAINSHIFT-RESUME-TOKEN': 'forged',
  };
  const { fields } = await connectClient(port, '/room?id=7', { headers });
  await retarget('target');
  await until(() => target.handshakes.length === 1);
  const [first, second] = [source.handshakes[0]!, target.handshakes[0]!];
  const { 'x-drainshift-resume-token': token, ...sent } = first;
  expect(token).toMatch(/^[\w-]{22}$/);
  expect(second).toEqual({ ...sent, 'x-drainshift-resume': token });
  expect(first).not.toHaveProperty('x-drainshift-resume');
  expect(first).toMatchObject({ cookie: 'session=s1', 'x-forwarded-for': '192.0.2.9, 127.0.0.1' });
  // The client hears nothing of it.
  expect(fields).not.toHaveProperty('x-drainshift-resume-token');
});

test('another backend gets the epoch of its move, and of no earlier one', async () => {
  const sessions = new Map<string, Session>();
  const [source, target] = [await startApplication(sessions), await startApplication(sessions)];
  const engine = await startEngine(source.port, { moves: MOVES });
  await connectClient(engine.port, '/ws', { headers: { 'x-drainshift-epoch': '4' } });
  const [{ movable } = {}] = engine.ledger.closables('websocket');
  for (const [epoch, { port }] of [
    [7, target],
    [8, source],
    [undefined, target],
  ] as const) {
    expect(await movable!.leave()).toBeUndefined();
    const upstream = { protocol: 'http', host: '127.0.0.1', port } as const;
    expect(await movable!.join(upstream, epoch)).toHaveProperty('stallMs');
  }
  const told = [target, source].map(({ handshakes }) => handshakes.map((fields) => fields['x-drainshift-epoch']));
  expect(told).toEqual([
    ['7', undefined],
    ['4', '8'],
  ]);
});
