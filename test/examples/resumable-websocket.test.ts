import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { WebSocket, WebSocketServer } from 'ws';
import type { AddressInfo } from 'node:net';
import { callAdmin, findReport } from '../proxy/support/proxy-world';
import { ifInstalled } from '../proxy/support/installed';
import { startProxyCommand, type ProxyCommand } from '../proxy/clients/support/proxy-command';
import { later, stopAll, until } from '../proxy/support/world';
import { firstLine } from '../support/first-line';
import { hasRedisServer, startRedisServer } from '../support/redis-server';
import { ROOT } from './support/installed';

const EXAMPLE = join(ROOT, 'examples/resumable-websocket');
const { testInstalled } = ifInstalled((from) => ({ ioredis: from.resolve('ioredis') }));
const withRedis = hasRedisServer('test/examples/resumable-websocket') ? testInstalled : test.skip;

afterEach(stopAll);

async function startStore(): Promise<string> {
  const { path, stop } = await startRedisServer();
  later(stop);
  return path;
}

async function startBackend(name: string, store: string): Promise<number> {
  const child = spawn(process.execPath, [join(EXAMPLE, 'backend.js'), '--name', name, '--valkey', store]);
  later(async () => {
    const end = once(child, 'exit');
    child.kill();
    await end;
  });
  return Number((await firstLine(child)).split(' ').pop());
}

async function startProxy(source: number, target: number, flags: string[] = []): Promise<ProxyCommand> {
  const other = ['--other-upstream', `http://127.0.0.1:${target}`];
  return startProxyCommand(source, { flags: [...other, ...flags] });
}

async function retarget({ adminPort }: ProxyCommand, to: 'source' | 'target'): Promise<void> {
  const { status } = await callAdmin(adminPort, { method: 'POST', path: '/retarget', body: JSON.stringify({ to }) });
  expect(status).toBe(202);
}

interface Client {
  readonly socket: WebSocket;
  readonly texts: string[];
  readonly codes: number[];
}

/** Messages that wait for their response at once: a backend that is slow is moved with work before it, and not with ever more. */
const MAX_AHEAD = 8;

function talk({ socket, texts }: Client): { readonly sent: number; stop(): void } {
  const count = { sent: 0, stop: () => clearInterval(timer) };
  const timer = setInterval(() => {
    if (count.sent - texts.length >= MAX_AHEAD) return;
    count.sent += 1;
    socket.send(`message ${count.sent}`);
  }, 3);
  later(count.stop);
  return count;
}

async function connect(port: number, path = '/'): Promise<Client> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`);
  later(() => socket.terminate());
  const [texts, codes]: [string[], number[]] = [[], []];
  socket.on('message', (data: Buffer) => texts.push(data.toString()));
  socket.on('close', (code) => codes.push(code));
  await once(socket, 'open');
  return { socket, texts, codes };
}

withRedis('the count goes on when clients are moved under messages, there and back', async () => {
  const store = await startStore();
  const proxy = await startProxy(await startBackend('blue', store), await startBackend('green', store));
  const clients = await Promise.all(Array.from({ length: 20 }, () => connect(proxy.port)));
  const counts = clients.map((client) => talk(client));
  const isAnyClosed = () => clients.flatMap(({ codes }) => codes).map((code) => `a close with ${code}`)[0];
  for (const to of ['target', 'source', 'target'] as const) {
    await retarget(proxy, to);
    const by = to === 'target' ? 'green' : 'blue';
    const from = counts.map(({ sent }) => sent);
    await until(
      () => clients.every(({ texts }, index) => texts.length > from[index]! && texts.at(-1)!.includes(by)),
      isAnyClosed,
    );
  }
  for (const { stop } of counts) stop();
  await until(() => clients.every(({ texts }, index) => texts.length >= counts[index]!.sent), isAnyClosed);
  for (const [index, { texts, codes }] of clients.entries()) {
    const { sent } = counts[index]!;
    const responses = texts.map((text) => JSON.parse(text) as { count: number; message: string });
    expect(responses.map(({ count }) => count)).toEqual(Array.from({ length: sent }, (_, nth) => nth + 1));
    expect(responses.every(({ count, message }) => message === `message ${count}`)).toBe(true);
    expect(codes).toEqual([]);
  }
  expect((await findReport(proxy.adminPort)).moves).toMatchObject({ rejected: {}, underWay: 0 });
  expect(proxy.problems()).toEqual([]);
});

withRedis('a backend that does not find the session: the client is asked to connect anew', async () => {
  const [store, another] = [await startStore(), await startStore()];
  const proxy = await startProxy(await startBackend('blue', store), await startBackend('green', another));
  const { socket, texts, codes } = await connect(proxy.port);
  socket.send('hello');
  await until(() => texts.length === 1);
  await retarget(proxy, 'target');
  await until(() => codes.length > 0);
  expect(codes).toEqual([1012]);
  expect((await findReport(proxy.adminPort)).moves?.rejected).toEqual({ rejected: 1 });
});

type PhoenixMessage = [string | null, string | null, string, string, { status?: string }];

/** A server of Phoenix channels, as far as a client of them sees it. */
async function startPhoenix(isOpen = true): Promise<{ port: number; joined: string[]; server: WebSocketServer }> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await once(server, 'listening');
  later(() => {
    for (const client of server.clients) client.terminate();
    server.close();
  });
  const joined: string[] = [];
  server.on('connection', (socket) => {
    socket.on('message', (data: Buffer) => {
      const [joinRef, ref, topic, event] = JSON.parse(data.toString()) as PhoenixMessage;
      if (event === 'phx_join') joined.push(topic);
      const status = isOpen ? 'ok' : 'error';
      socket.send(JSON.stringify([joinRef, ref, topic, 'phx_reply', { status, response: {} }]));
    });
  });
  return { port: (server.address() as AddressInfo).port, joined, server };
}

describe('the adapter for Phoenix, which is loaded from a file', () => {
  const flags = ['--move-adapters', join(EXAMPLE, 'phoenix-adapter.mjs')];
  const say = (socket: WebSocket, ...message: unknown[]) => socket.send(JSON.stringify(message));

  async function start(isTargetOpen: boolean) {
    const [source, target] = [await startPhoenix(), await startPhoenix(isTargetOpen)];
    const proxy = await startProxy(source.port, target.port, flags);
    const client = await connect(proxy.port, '/socket/websocket?vsn=2.0.0');
    say(client.socket, '1', '1', 'room:a', 'phx_join', {});
    say(client.socket, '2', '2', 'room:b', 'phx_join', {});
    await until(() => client.texts.length === 2);
    return { source, target, proxy, client };
  }

  test('joins the topics again, and keeps the replies from the client', async () => {
    const { source, target, proxy, client } = await start(true);
    await retarget(proxy, 'target');
    await until(() => target.joined.length === 2 && source.server.clients.size === 0);
    say(client.socket, '1', '3', 'room:a', 'shout', {});
    await until(() => client.texts.length === 3);
    expect(target.joined).toEqual(['room:a', 'room:b']);
    expect(client.texts.map((text) => (JSON.parse(text) as PhoenixMessage)[1])).toEqual(['1', '2', '3']);
    expect(client.codes).toEqual([]);
    expect((await findReport(proxy.adminPort)).moves?.rejected).toEqual({});
  });

  test('a topic that is not open to the client: Close 1012', async () => {
    const { proxy, client } = await start(false);
    await retarget(proxy, 'target');
    await until(() => client.codes.length > 0);
    expect(client.codes).toEqual([1012]);
    expect((await findReport(proxy.adminPort)).moves?.rejected).toEqual({ notResumed: 1 });
  });
});
