import { WebSocket } from 'ws';
import { LoadOptions, checkLoad } from '../../check/load';
import { echo, goOn, quiet, readText, serve, stopServers, targetFor } from './servers';

afterEach(stopServers);

const OPTIONS: LoadOptions = {
  ...{ connections: 3, rate: 1_000, messages: 4, intervalMs: 1, expectation: 'echo' },
  message: '{"client":"{client}","message_id":{n}}',
};

function load(port: number, more: Partial<LoadOptions> = {}, timeoutMs = 60_000, signal = goOn()) {
  return checkLoad(targetFor(`ws://127.0.0.1:${port}/ws`, { timeoutMs }), { ...OPTIONS, ...more }, signal, quiet());
}

/** Handles the messages of each connection by their place, from 1. */
function onEach(handle: (socket: WebSocket, text: string, place: number) => void) {
  return (socket: WebSocket) => {
    let place = 0;
    socket.on('message', (data) => handle(socket, readText(data), (place += 1)));
  };
}

test('counts each echo, with its latency', async () => {
  const figures = await load(await serve({ onSocket: echo }));
  expect(figures).toMatchObject({
    ...{ connections: 3, opened: 3, notOpened: 0, dropped: 0, planned: 12, sent: 12, responded: 12 },
    ...{ lost: 0, doubled: 0, outOfOrder: 0, other: 0, problems: [] },
  });
  expect(figures.latencyMs!.max).toBeGreaterThan(0);
  expect(figures.openingMs!.p50).toBeGreaterThan(0);
  expect(figures.ownDelayMs).toBeGreaterThanOrEqual(0);
});

test('sees what is lost, doubled, and out of order', async () => {
  const held = new Map<WebSocket, string>();
  const port = await serve({
    onSocket: onEach((socket, text, place) => {
      if (place === 1) [1, 2].forEach(() => socket.send(text));
      if (place === 2) held.set(socket, text);
      if (place === 3) socket.send(text);
      if (place === 3) socket.send(held.get(socket)!);
      // It will not come any more.
      if (place === 4) socket.close(1000);
    }),
  });
  expect(await load(port)).toMatchObject({ sent: 12, responded: 9, lost: 3, doubled: 3, outOfOrder: 3, dropped: 3 });
});

test('a connection that the server closes is dropped, and what it had not sent is not lost', async () => {
  const port = await serve({
    onSocket: onEach((socket, text, place) => (place === 2 ? socket.close(1012) : socket.send(text))),
  });
  const figures = await load(port, { intervalMs: 20 });
  expect(figures).toMatchObject({ opened: 3, dropped: 3, problems: [{ problem: 'closed with 1012', count: 3 }] });
  expect(figures.sent).toBeLessThan(figures.planned);
  expect(figures.lost).toBeGreaterThanOrEqual(3);
});

test('a rejected handshake is named, and so is a port where no server is', async () => {
  const port = await serve({ onRequest: () => undefined, onSocket: echo, options: { verifyClient: () => false } });
  expect(await load(port)).toMatchObject({
    ...{ opened: 0, notOpened: 3, sent: 0 },
    problems: [{ problem: 'HTTP status 401, not 101', count: 3 }],
  });
  await stopServers();
  const { notOpened, problems } = await load(port);
  expect([notOpened, problems[0]!.problem]).toEqual([3, expect.stringContaining('ECONNREFUSED')]);
});

test('numbers in JSON are found in a broadcast, which others get too', async () => {
  const all = new Set<WebSocket>();
  const port = await serve({
    onSocket: (socket) => {
      all.add(socket);
      socket.on('message', (data) => all.forEach((each) => each.send(`{"from":"x","data":${readText(data)}}`)));
    },
  });
  const figures = await load(port, { expectation: { path: ['data', 'message_id'] } });
  expect(figures).toMatchObject({ responded: 12, lost: 0, doubled: 0, outOfOrder: 0 });
});

test('a stop closes all, and what was on its way is not lost', async () => {
  const stop = new AbortController();
  const codes: number[] = [];
  const port = await serve({
    onSocket: (socket) => {
      socket.on('close', (code) => codes.push(code));
      socket.on('message', () => stop.abort());
    },
  });
  const figures = await load(port, { connections: 1, intervalMs: 3_600_000 }, 60_000, stop.signal);
  expect(figures).toMatchObject({ opened: 1, dropped: 0, sent: 1, responded: 0, lost: 0 });
  expect(codes).toEqual([1000]);
});

test('says by how much it was late itself', async () => {
  const port = await serve({
    onSocket: onEach((socket, text) => {
      // The server is in this process: both wait.
      for (const untilMs = performance.now() + 60; performance.now() < untilMs;);
      socket.send(text);
    }),
  });
  expect((await load(port, { connections: 1 })).ownDelayMs).toBeGreaterThan(40);
});
