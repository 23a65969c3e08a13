import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import { gunzipSync } from 'node:zlib';
import { io as connectSocketIo } from 'socket.io-client';
import * as ws from 'ws';
import { WebSocket, WebSocketServer, type ClientOptions, type RawData, type ServerOptions } from 'ws';
import { PART_SUFFIX } from '../../../core/capture/part-name';
import { foreign } from '../../support/foreign-stream';
import { TestProxy, startTestProxy } from '../support/proxy-world';
import { get, later, stopAll, until } from '../support/world';
import { BUILT_IN } from '../moves/support/adapters';
import { createSharedAdapter, startSocketIo } from '../moves/support/socket-io-servers';
import { Session, connectClient, startApplication, startMoves } from '../moves/support/world';
import { captureTo, listMessages, readEvents } from './captured';

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'drainshift-messages-'))));
afterEach(async () => {
  await stopAll();
  rmSync(folder, { recursive: true, force: true });
});

/** Its clients get what they send, and text behind it. */
async function startEcho(options: ServerOptions = {}): Promise<number> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', ...options });
  server.on('connection', (socket) => {
    socket.send('welcome');
    socket.on('message', (data: RawData, isBinary) => socket.send(data as Buffer, { binary: isBinary }));
  });
  await new Promise((resolve) => server.once('listening', resolve));
  later(() => new Promise<void>((resolve) => server.close(() => resolve())));
  return (server.address() as { port: number }).port;
}

interface Talk {
  readonly socket: WebSocket;
  readonly got: string[];
}

async function connect({ data }: TestProxy, path = '/chat', options: ClientOptions = {}): Promise<Talk> {
  const socket = new WebSocket(`ws://127.0.0.1:${data.port}${path}`, options);
  const got: string[] = [];
  socket.on('message', (message: Buffer) => got.push(message.toString()));
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  later(() => socket.terminate());
  await until(() => got.length === 1);
  return { socket, got };
}

async function end({ socket }: Talk, proxy: TestProxy): Promise<void> {
  socket.close(1000, 'bye');
  await until(() => proxy.report().active.websocket === 0);
  await proxy.close();
}

interface ForeignStream {
  readonly connectionId: string;
  readonly subStream: readonly ({ readonly ts: object } & Readonly<Record<string, { readonly data?: Buffer }>>)[];
}

/** All records, by a decoder of another maker. */
function readForeign(): ForeignStream[] {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith(PART_SUFFIX));
  return names
    .sort()
    .flatMap((name) =>
      gunzipSync(readFileSync(join(folder, name)))
        .toString()
        .trimEnd()
        .split('\n'),
    )
    .map((line) => foreign.decode(Buffer.from(line.split('|')[1]!, 'base64')) as unknown as ForeignStream);
}

/** The requests that a replayer sends which knows of HTTP alone: reads to the end of a message, unless they were dropped. */
function readAsHttp(streams: readonly ForeignStream[]): string[] {
  const requests: string[] = [];
  let reads = '';
  for (const observation of streams.flatMap(({ subStream }) => subStream)) {
    if (observation.read) reads += Buffer.from(observation.read.data ?? '').toString();
    if (observation.endOfMessageIndicator) requests.push(reads);
    if (observation.endOfMessageIndicator || observation.requestDropped) reads = '';
  }
  expect(reads).toBe('');
  return requests;
}

/** What reads frames in the library of the ends; its types leave it out. */
const { Receiver } = ws as unknown as { readonly Receiver: new (options: { isServer: boolean }) => Writable };

/** What the frames say, read by the library of the ends. */
function readFrames(frames: readonly Buffer[], isServer: boolean): Promise<string[]> {
  const receiver = new Receiver({ isServer });
  const said: string[] = [];
  receiver.on('message', (data: Buffer, isBinary: boolean) =>
    said.push(`${isBinary ? 'binary' : 'text'} ${data.toString()}`),
  );
  receiver.on('conclude', (code: number, reason: Buffer) => said.push(`close ${code} ${reason.toString()}`));
  return new Promise((resolve, reject) => {
    receiver.once('error', reject);
    receiver.end(Buffer.concat(frames), () => setImmediate(() => resolve(said)));
  });
}

/** The reads or writes behind the head of the handshake. */
function listFrames(streams: readonly ForeignStream[], kind: 'read' | 'write'): Buffer[] {
  const all = streams.flatMap(({ subStream }) =>
    subStream.flatMap((each) => (each[kind] ? [Buffer.from(each[kind].data ?? '')] : [])),
  );
  return all.slice(1);
}

test('messages of both ways stand behind their handshake, and are no requests of HTTP', async () => {
  const capture = captureTo(folder, { recordsMessages: true });
  const proxy = await startTestProxy(await startEcho(), { capture });
  const talk = await connect(proxy);
  talk.socket.send('one');
  talk.socket.send(Buffer.from('two'));
  talk.socket.send('in ', { fin: false });
  talk.socket.ping();
  talk.socket.send('parts', { fin: true });
  talk.socket.send('GET /none HTTP/1.1\r\nHost: a\r\n\r\n');
  await until(() => talk.got.length === 5);
  await end(talk, proxy);
  expect(proxy.report().capture).toMatchObject({ webSockets: { recorded: 11, lost: 0 }, lost: 0, recorded: 1 });
  const streams = readForeign();
  expect(new Set(streams.map(({ connectionId }) => connectionId)).size).toBe(1);
  const [request, ...others] = readAsHttp(streams);
  expect([request!.split('\r\n')[0], others]).toEqual(['GET /chat HTTP/1.1', []]);
  expect(request).toContain('\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n');
  const kinds = streams.flatMap(({ subStream }) =>
    subStream.map((each) => Object.keys(each).find((key) => key !== 'ts')),
  );
  // Each read behind the request.
  expect(kinds.slice(1).every((kind, at, all) => kind !== 'read' || all[at + 1] === 'requestDropped')).toBe(true);
  const said = ['text one', 'binary two', 'text in parts', 'text GET /none HTTP/1.1\r\nHost: a\r\n\r\n'];
  const reads = listFrames(streams, 'read').filter(({ length }) => length > 0);
  expect(await readFrames(reads, true)).toEqual([...said, 'close 1000 bye']);
  // What is recorded of a client can be read as it is.
  expect(reads[0]!.toString('latin1')).toBe('\x81\x83\0\0\0\0one');
  expect(await readFrames(listFrames(streams, 'write'), false)).toEqual(['text welcome', ...said, 'close 1000 bye']);
  expect(streams.at(-1)!.subStream.at(-1)!.close).toBeDefined();
});

test('its own reader gives the exchange alone and counts the messages, or gives them, too', async () => {
  const capture = captureTo(folder, { recordsMessages: true, bodyBytes: 2e6 });
  const proxy = await startTestProxy(await startEcho(), { capture });
  const talk = await connect(proxy);
  // Longer than a record may be: its parts continue each other.
  const long = 'long '.repeat(300_000);
  talk.socket.send(long);
  talk.socket.send('short');
  await until(() => talk.got.length === 3);
  await end(talk, proxy);
  const said = ['client text short', 'backend text welcome', `client text ${long}`, `backend text ${long}`];
  const { events, counts } = await readEvents(folder, true);
  expect(listMessages(events).sort()).toEqual(
    [...said, 'backend text short', 'client close 1000', 'backend close 1000'].sort(),
  );
  expect(counts).toMatchObject({ webSocketMessages: 7, dropped: 0, strayBytes: 0, missing: 0 });
  const without = await readEvents(folder, false);
  expect(without.events.map(({ kind }) => kind)).toEqual(['request', 'response']);
  expect(without.counts).toEqual(counts);
});

test('compressed messages are recorded as they were before', async () => {
  const proxy = await startTestProxy(await startEcho({ perMessageDeflate: { threshold: 0 } }), {
    capture: captureTo(folder, { recordsMessages: true }),
  });
  const talk = await connect(proxy, '/', { perMessageDeflate: { threshold: 0 } });
  expect(talk.socket.extensions).toBe('permessage-deflate');
  const said = Array.from({ length: 50 }, (_, n) => `message ${n} of those that are like each other`);
  for (const text of said) talk.socket.send(text);
  await until(() => talk.got.length === 51);
  await end(talk, proxy);
  const streams = readForeign();
  const expected = said.map((text) => `text ${text}`);
  const reads = listFrames(streams, 'read').filter(({ length }) => length > 0);
  expect(await readFrames(reads, true)).toEqual([...expected, 'close 1000 bye']);
  expect(await readFrames(listFrames(streams, 'write'), false)).toEqual([
    'text welcome',
    ...expected,
    'close 1000 bye',
  ]);
});

test('dictionaries of connections that live long leave the room of requests to requests', async () => {
  const capture = captureTo(folder, { recordsMessages: true, memoryBytes: 2 ** 18 });
  const proxy = await startTestProxy(await startEcho({ perMessageDeflate: { threshold: 0 } }), { capture });
  for (let n = 0; n < 8; n += 1) await connect(proxy, '/', { perMessageDeflate: { threshold: 0 } });
  // The server of the package takes none but WebSockets.
  const { status } = await get({ port: proxy.data.port, method: 'POST' }, 'x'.repeat(50_000));
  expect(status).toBe(426);
  await until(() => proxy.report().capture!.webSockets!.lost > 0);
  expect(proxy.report().capture).toMatchObject({ refused: 0, unrecorded: 0 });
});

test('what must be hidden is not in the record; what cannot be recorded passes, and is counted', async () => {
  const capture = captureTo(folder, { recordsMessages: true, redacted: ['/pin'], bodyBytes: 100 });
  const proxy = await startTestProxy(await startEcho(), { capture });
  const talk = await connect(proxy);
  const all = ['{"pin":"s3cret","id":1}', '{"pin":"s3cret', 'x'.repeat(101), 'plain', '{"id":1 }'];
  for (const text of all) talk.socket.send(text);
  await until(() => talk.got.length === 6);
  expect(talk.got.slice(1)).toEqual(all);
  await end(talk, proxy);
  expect(proxy.report().capture).toMatchObject({ webSockets: { recorded: 9, lost: 4 }, unrecorded: 0 });
  const { events } = await readEvents(folder, true);
  const seen = listMessages(events).filter((line) => line.startsWith('client'));
  expect(seen).toEqual([
    expect.stringMatching(/^client text {"pin":"redacted-[0-9a-f]{32}","id":1}$/),
    ...['client text plain', 'client text {"id":1 }', 'client close 1000'],
  ]);
});

test('without room messages pass, and are counted', async () => {
  const capture = captureTo(folder, { recordsMessages: true, memoryBytes: 3_000 });
  const proxy = await startTestProxy(await startEcho(), { capture });
  const talk = await connect(proxy);
  talk.socket.send('x'.repeat(10_000));
  await until(() => talk.got.length === 2);
  const { lost } = proxy.report().capture!.webSockets!;
  expect(lost).toBe(2);
  await end(talk, proxy);
});

test('a store that takes nothing holds up no message; what has no room is counted', async () => {
  const blocked = join(folder, 'file');
  writeFileSync(blocked, '');
  const memoryBytes = 6_000;
  const capture = captureTo(blocked, { recordsMessages: true, memoryBytes });
  const proxy = await startTestProxy(await startEcho(), { capture });
  const talk = await connect(proxy);
  for (let count = 0; count < 100; count += 1) talk.socket.send('x'.repeat(100));
  await until(() => talk.got.length === 101);
  const { webSockets, pendingBytes } = proxy.report().capture!;
  // A switch waits for records of requests: that of the handshake.
  expect([webSockets!.recorded, webSockets!.lost > 100, pendingBytes < 2_000]).toEqual([0, true, true]);
  talk.socket.terminate();
});

test('they are not recorded where their handshake is not, nor by default', async () => {
  const port = await startEcho();
  const capture = captureTo(folder, { recordsMessages: true, never: ['/private*'] });
  const proxy = await startTestProxy(port, { capture });
  const talk = await connect(proxy, '/private/1');
  await end(talk, proxy);
  expect(readForeign()).toEqual([]);
  const off = await startTestProxy(port, { capture: captureTo(folder) });
  await end(await connect(off), off);
  expect(off.report().capture).not.toHaveProperty('webSockets');
  expect(listFrames(readForeign(), 'read')).toEqual([]);
});

test('the record goes on where a connection moves to another backend', async () => {
  const sessions = new Map<string, Session>();
  const [source, target] = [await startApplication(sessions), await startApplication(sessions)];
  const capture = captureTo(folder, { recordsMessages: true });
  const { proxy, port, retarget } = await startMoves(source.port, target.port, {}, { capture });
  const client = await connectClient(port, '/room');
  client.socket.send('1');
  await until(() => client.texts.length === 1);
  await retarget('target');
  await until(() => target.server.clients.size === 1 && proxy.report().moves?.underWay === 0);
  client.socket.send('2');
  await until(() => client.texts.length === 2);
  client.socket.close(1000);
  await until(() => proxy.report().carried?.websocket === 0 && proxy.report().active.websocket === 0);
  await proxy.close();
  const { events, counts } = await readEvents(folder, true);
  expect(listMessages(events).slice(0, 4)).toEqual([
    ...['client text 1', 'backend text echo 1', 'client text 2', 'backend text echo 2'],
  ]);
  expect(counts).toMatchObject({ dropped: 0, strayBytes: 0 });
});

test('what a new backend says to a client of socket.io while it is moved there is recorded, too', async () => {
  const adapter = createSharedAdapter();
  const recovery = { connectionStateRecovery: { maxDisconnectionDuration: 60_000 } };
  const [a, b] = [await startSocketIo({ ...recovery, adapter }), await startSocketIo({ ...recovery, adapter })];
  const capture = captureTo(folder, { recordsMessages: true });
  const { proxy, port, retarget } = await startMoves(a.port, b.port, { adapters: BUILT_IN }, { capture });
  const socket = connectSocketIo(`http://127.0.0.1:${port}`, { transports: ['websocket'], reconnection: false });
  later(() => void socket.disconnect());
  const got: string[] = [];
  const packetTypes = ['open', 'close', 'ping', 'pong', 'message'];
  socket.io.engine.on('packet', ({ type, data }: { type: string; data?: string }) =>
    got.push(`backend text ${packetTypes.indexOf(type)}${data ?? ''}`),
  );
  await until(() => socket.connected);
  a.io.emit('news', 1);
  await until(() => got.some((packet) => packet.includes('news')));
  await retarget('target');
  await until(() => b.io.engine.clientsCount === 1 && proxy.report().moves?.underWay === 0);
  b.io.emit('news', 2);
  await until(() => got.filter((packet) => packet.includes('news')).length === 2);
  socket.disconnect();
  await until(() => proxy.report().carried?.websocket === 0 && proxy.report().active.websocket === 0);
  await proxy.close();
  // A Ping of the protocol opens the connection again: it is said before the client's bytes go on.
  expect(got).toContain('backend text 2');
  const { events } = await readEvents(folder, true);
  expect(listMessages(events).filter((line) => line.startsWith('backend text'))).toEqual(got);
});
