import { ReconnectingWebSocket } from '../../client/index';
import {
  follow,
  later,
  recordWaits,
  startSilentServer,
  startSocketServer,
  stopAll,
  until,
} from './support/hostile-server';

afterEach(stopAll);

/** An error of Node's own realm. */
const named = (name: string) => expect.objectContaining({ name }) as Error;
const STATES = { CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 };

test('constants, handlers and properties are those of `WebSocket`', async () => {
  const server = await startSocketServer(() => undefined);
  const native = new WebSocket(server.url);
  later(() => native.close());
  const { socket, said } = follow(server.url);
  expect(socket).toMatchObject(STATES);
  expect({ ...STATES, ...pick(ReconnectingWebSocket, Object.keys(STATES)) }).toEqual(STATES);
  const missing: string[] = [];
  for (const name in native) if (!(name in socket)) missing.push(name);
  expect(missing).toEqual([]);
  expect(socket).toBeInstanceOf(EventTarget);
  expect([socket.url, socket.readyState, socket.binaryType, socket.bufferedAmount]).toEqual([server.url, 0, 'blob', 0]);
  await until(() => said.length === 1 && native.readyState === 1);
  expect([socket.protocol, socket.extensions]).toEqual([native.protocol, native.extensions]);
});

function pick(from: object, names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(names.map((name) => [name, (from as Record<string, unknown>)[name]]));
}

test('handlers are empty at first, and are called with the target, once for each event', async () => {
  const server = await startSocketServer((socket) => socket.send('hello'));
  const socket = new ReconnectingWebSocket(server.url);
  later(() => socket.close());
  expect([socket.onopen, socket.onmessage, socket.onerror, socket.onclose]).toEqual([null, null, null, null]);
  const calls: unknown[] = [];
  socket.onopen = () => calls.push('replaced');
  socket.onopen = function (this: unknown, event) {
    calls.push(this === socket, event.target === socket, event.currentTarget === socket);
  };
  socket.addEventListener('message', { handleEvent: ({ data }) => calls.push(data) }, { once: true });
  const stopped = new AbortController();
  socket.addEventListener('message', () => calls.push('aborted'), { signal: stopped.signal });
  const removed = () => calls.push('removed');
  socket.addEventListener('message', removed);
  socket.removeEventListener('message', removed);
  stopped.abort();
  await until(() => calls.length >= 4);
  for (const each of server.server.clients) each.send('again');
  await new Promise((resolve) => socket.addEventListener('message', resolve));
  expect(calls).toEqual([true, true, true, 'hello']);
});

test('the kind of binary messages holds for each connection', async () => {
  const server = await startSocketServer((socket, number) => {
    socket.send(Buffer.from([number]));
    if (number === 1) socket.close(1012);
  });
  const { socket } = follow(server.url);
  socket.binaryType = 'arraybuffer';
  const got: unknown[] = [];
  socket.onmessage = ({ data }) => got.push([...new Uint8Array(data as ArrayBuffer)]);
  await until(() => got.length === 2);
  expect(got).toEqual([[1], [2]]);
  expect(socket.binaryType).toBe('arraybuffer');
});

test('a wrong URL, a wrong protocol, a wrong code: they throw what `WebSocket` throws', async () => {
  const timers = jest.spyOn(globalThis, 'setTimeout');
  expect(() => new ReconnectingWebSocket('nonsense:\\')).toThrow(named('SyntaxError'));
  expect(() => new ReconnectingWebSocket('ws://127.0.0.1', ['a', 'a'])).toThrow(named('SyntaxError'));
  // Nothing is left behind that would try again.
  expect(timers.mock.calls).toEqual([]);
  timers.mockRestore();
  const server = await startSocketServer(() => undefined);
  const { socket, said } = follow(server.url);
  await until(() => said.length === 1);
  expect(() => socket.close(1001)).toThrow(named('InvalidAccessError'));
  expect(socket.readyState).toBe(1);
});

test('the subprotocol is asked for on each connection', async () => {
  const offered: (string | undefined)[] = [];
  const server = await startSocketServer((socket, number) => {
    offered.push(socket.protocol);
    if (number === 1) socket.close(1012);
  });
  const { socket, said } = follow(new URL(server.url), ['chat.v2', 'chat.v1']);
  await until(() => said.filter((each) => each === 'open 1').length === 2);
  expect(offered).toEqual(['chat.v2', 'chat.v2']);
  expect(socket.protocol).toBe('chat.v2');
});

describe('close', () => {
  test('of an open connection: its code and reason reach the server, and no other connection is made', async () => {
    const codes: string[] = [];
    const server = await startSocketServer((socket) =>
      socket.on('close', (code, reason) => codes.push(`${code} ${reason.toString()}`)),
    );
    const { socket, said } = follow(server.url);
    await until(() => said.length === 1);
    socket.close(4001, 'done');
    expect(socket.readyState).toBe(2);
    socket.close();
    await until(() => said.length === 2 && codes.length === 1);
    expect([said, codes]).toEqual([['open 1', 'close 4001 3'], ['4001 done']]);
    expect(server.paths).toHaveLength(1);
  });

  test('in the handshake: it ends', async () => {
    const { url, sockets } = await startSilentServer();
    const { socket, said } = follow(url);
    await until(() => sockets.length === 1);
    socket.close();
    expect(socket.readyState).toBe(2);
    await until(() => said.length === 1);
    expect(said).toEqual(['close 1006 3']);
  });

  test('while a URL is awaited: what comes is not used', async () => {
    const server = await startSocketServer(() => undefined);
    let give: (url: string) => void = () => undefined;
    const { socket, said } = follow(() => new Promise<string>((resolve) => (give = resolve)));
    socket.close();
    expect(said).toEqual([]);
    await until(() => said.length === 1);
    give(server.url);
    await new Promise((resolve) => setImmediate(resolve));
    expect([said, server.paths]).toEqual([['close 1006 3'], []]);
  });

  test('in the wait for the next attempt: there is none', async () => {
    const waits = recordWaits(0.5);
    const cleared = jest.spyOn(globalThis, 'clearTimeout');
    const server = await startSocketServer((socket) => socket.close(1011));
    const { socket, said } = follow(server.url, undefined, { minDelayMs: 60_000, maxDelayMs: 60_000 });
    socket.addEventListener('close', () => socket.close());
    await until(() => socket.readyState === 3);
    expect(said).toEqual(['open 1', 'close 1011 0', 'close 1006 3']);
    // The one wait that was begun was ended.
    expect(waits()).toEqual([30_000]);
    const [timer] = jest
      .mocked(setTimeout)
      .mock.calls.flatMap(([, ms], at) =>
        ms === 30_000 ? [jest.mocked(setTimeout).mock.results[at]!.value as NodeJS.Timeout] : [],
      );
    expect(cleared).toHaveBeenCalledWith(timer);
  });

  test('on a connection that does not end: the limit for silence ends it', async () => {
    const server = await startSocketServer((socket) => socket.pause());
    const { socket, said } = follow(server.url, undefined, { idleTimeoutMs: 100 });
    await until(() => said.length === 1);
    socket.close();
    await until(() => socket.readyState === 3);
    expect(said.at(-1)).toBe('close 1006 3');
  });
});
