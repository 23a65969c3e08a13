import { writeFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import type { Server } from 'socket.io';
import { type Socket, io as connect } from 'socket.io-client';
import { WebSocket, WebSocketServer } from 'ws';
import { createSharedAdapter, startSocketIo } from '../moves/support/socket-io-servers';
import { ProxyBundle, bundleProxy } from '../support/proxy-process';
import { callAdmin, findReport } from '../support/proxy-world';
import { endOf, restart, startRestartable } from '../support/restart-world';
import { later, stopAll, until } from '../support/world';

let bundle: ProxyBundle;
beforeAll(() => void (bundle = bundleProxy()));
afterAll(() => bundle.remove());
afterEach(stopAll);

interface Backend {
  readonly io: Server;
  readonly port: number;
  /** What its chats and streams were asked with. */
  readonly asked: string[];
  readonly streams: Set<http.ServerResponse>;
  readonly chats: WebSocketServer;
}

/** A chat, whose first message is a name that is welcomed; an event stream, which goes on behind an id; socket.io. */
async function startBackend(adapter: ReturnType<typeof createSharedAdapter>): Promise<Backend> {
  const recovery = { connectionStateRecovery: { maxDisconnectionDuration: 60_000 } };
  const { io, port } = await startSocketIo({ adapter, ...recovery, destroyUpgrade: false });
  const asked: string[] = [];
  const streams = new Set<http.ServerResponse>();
  const server = io.httpServer as http.Server;
  server.on('request', ({ url, headers }: http.IncomingMessage, response: http.ServerResponse) => {
    if (url !== '/events') return;
    asked.push(`events ${String(headers['last-event-id'])}`);
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.flushHeaders();
    streams.add(response);
    response.on('close', () => streams.delete(response));
  });
  const chats = new WebSocketServer({ noServer: true });
  server.on('upgrade', (request, socket, head) => {
    if (request.url?.startsWith('/socket.io') !== true)
      chats.handleUpgrade(request, socket, head, (chat) => chats.emit('connection', chat, request));
  });
  chats.on('connection', (chat, { url }: http.IncomingMessage) => {
    chat.once('message', (name: Buffer) => {
      asked.push(`${url} ${name.toString()}`);
      chat.send('welcome');
      chat.on('message', (text: Buffer) => chat.send(`${name.toString()} says ${text.toString()}`));
    });
  });
  later(() => chats.clients.forEach((chat) => chat.terminate()));
  return { io, port, asked, streams, chats };
}

async function openChat(port: number, url: string): Promise<{ chat: WebSocket; texts: string[]; codes: number[] }> {
  const chat = new WebSocket(`ws://127.0.0.1:${port}${url}`);
  const [texts, codes]: [string[], number[]] = [[], []];
  chat.on('message', (text: Buffer) => texts.push(text.toString()));
  chat.on('close', (code) => codes.push(code));
  chat.on('error', () => undefined);
  later(() => chat.terminate());
  await new Promise((resolve) => chat.once('open', resolve));
  chat.send('ann');
  await until(() => texts.length === 1);
  return { chat, texts, codes };
}

async function openSocket(port: number): Promise<{ socket: Socket; news: number[]; disconnects: string[] }> {
  const socket = connect(`http://127.0.0.1:${port}`, {
    transports: ['websocket'],
    forceNew: true,
    reconnection: false,
  });
  later(() => void socket.disconnect());
  const [news, disconnects]: [number[], string[]] = [[], []];
  socket.on('news', (number: number) => news.push(number));
  socket.on('disconnect', (why) => disconnects.push(why));
  await until(() => socket.connected);
  return { socket, news, disconnects };
}

async function openEvents(port: number): Promise<{ text: () => string; isClosed: () => boolean }> {
  let [text, isClosed] = ['', false];
  const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
    const request = http.get({ host: '127.0.0.1', port, path: '/events', agent: false }, resolve);
    request.on('error', reject);
    later(() => void request.destroy());
  });
  response.on('data', (bytes: Buffer) => (text += bytes.toString()));
  response.on('error', () => undefined);
  response.on('close', () => (isClosed = true));
  return { text: () => text, isClosed: () => isClosed };
}

const ADAPTER = `
const follow = (names) => ({
  fromClient: ({ payload }) => names.length === 0 && names.push(payload.toString()),
  fromBackend: () => undefined,
  rejection: undefined,
  isSettled: true,
  PACK
  replay: () => ({
    url: '/NAME',
    first: names.map((name) => ({ isText: true, payload: Buffer.from(name) })),
    fromBackend: () => ({ end: 'joined' }),
  }),
});
exports.adapter = { name: 'NAME', recognizes: ({ url }) => url === '/NAME', follow: () => follow([]), unpack: follow };
`;

function writeAdapter(name: string, pack: string): string {
  const file = path.join(bundle.folder, `${name}.cjs`);
  writeFileSync(file, ADAPTER.replaceAll('NAME', name).replace('PACK', pack));
  return file;
}

test('what can move to another backend still can behind restarts, in the middle of an event or a message', async () => {
  const adapter = createSharedAdapter();
  const [source, target] = [await startBackend(adapter), await startBackend(adapter)];
  const modules = [writeAdapter('own', 'pack: () => names,'), writeAdapter('without', '')];
  const { proxy, port, admin } = await startRestartable(bundle, {
    upstream: `http://127.0.0.1:${source.port}`,
    other_upstream: `http://127.0.0.1:${target.port}`,
    move_adapters: ['socket.io', ...modules],
    move_rules: [{ name: 'chat', path: '/chat', remember: '1', swallow: '1' }],
  });
  const [chat, own, without] = await Promise.all(['/chat', '/own', '/without'].map((url) => openChat(port, url)));
  const socket = await openSocket(port);
  const { id } = socket.socket;
  const events = await openEvents(port);
  source.io.emit('news', 1);
  source.streams.forEach((response) => response.write('id: 1\ndata: a\n\nid: 2\nda'));
  await until(() => socket.news.length === 1 && events.text().endsWith('da'));
  for (const generation of [1, 2]) {
    expect(await restart({ admin })).toMatchObject({ status: 202 });
    await endOf(proxy, generation);
    source.io.emit('news', generation + 1);
    await until(() => socket.news.length === generation + 1);
  }
  source.streams.forEach((response) => response.write('ta: b\n\n'));
  chat!.chat.send('hi');
  await until(() => chat!.texts.length === 2 && events.text().endsWith('b\n\n'));
  const order = { method: 'POST', path: '/retarget', body: JSON.stringify({ to: 'target' }) };
  expect(await callAdmin(admin, order)).toMatchObject({ status: 202 });
  await until(() => target.streams.size === 1 && target.chats.clients.size === 2 && without!.codes.length === 1);
  await until(() => source.io.engine.clientsCount === 0 && target.io.engine.clientsCount === 1);
  target.io.emit('news', 4);
  target.streams.forEach((response) => response.write('id: 3\ndata: c\n\n'));
  chat!.chat.send('again');
  own!.chat.send('too');
  await until(() => socket.news.includes(4) && events.text().endsWith('c\n\n'));
  await until(() => chat!.texts.length === 3 && own!.texts.length === 2);
  expect([...target.asked].sort()).toEqual(['/chat ann', '/own ann', 'events 2']);
  expect(events.text()).toBe('id: 1\ndata: a\n\nid: 2\ndata: b\n\nid: 3\ndata: c\n\n');
  expect([chat!.texts, own!.texts]).toEqual([
    ['welcome', 'ann says hi', 'ann says again'],
    ['welcome', 'ann says too'],
  ]);
  expect(socket).toMatchObject({ news: [1, 2, 3, 4], disconnects: [] });
  expect([socket.socket.id, chat!.codes, own!.codes, without!.codes, events.isClosed()]).toEqual([
    id,
    [],
    [],
    [1012],
    false,
  ]);
  const { moves, requests } = await findReport(admin);
  expect(moves?.rejected).toEqual({ cannotResume: 1 });
  expect(requests.errors).toBe(0);
});
