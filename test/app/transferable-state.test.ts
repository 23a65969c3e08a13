import { randomUUID } from 'node:crypto';
import http, { RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import fastify from 'fastify';
import { FrozenError, TransferableState } from '../../app';
import { later, stopAll } from '../proxy/support/world';

afterEach(stopAll);

async function listen(listener: RequestListener): Promise<string> {
  const server = http.createServer(listener).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  later(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

interface App {
  readonly url: string;
  readonly carts: Map<string, unknown>;
  readonly counts: Map<string, unknown>;
  readonly state: TransferableState;
}

async function startApp(entries: Readonly<Record<string, unknown>> = {}): Promise<App> {
  const carts = new Map(Object.entries(entries));
  const counts = new Map<string, unknown>();
  const state = new TransferableState({ path: '/internal/state', maps: { carts, counts } });
  const url = await listen(state.wrap((_, response) => void response.end('the app')));
  return { url, carts, counts, state };
}

const call = (app: App, part: string, options: RequestInit = {}) => fetch(`${app.url}/internal/state/${part}`, options);
const tell = async (app: App, part: string, epoch: number) =>
  (await call(app, part, { method: 'POST', body: JSON.stringify({ part, epoch }) })).json();

async function move(from: App, to: App, query = ''): Promise<Response> {
  const exported = await call(from, `export${query}`);
  const body = await exported.text();
  const id = randomUUID();
  const separator = query === '' ? '?' : `${query}&`;
  const imported = await call(to, `import${separator}id=${id}`, { method: 'POST', body });
  expect(await imported.json()).toMatchObject({ ok: true, bytes: Buffer.byteLength(body) });
  return exported;
}

const digest = async (app: App) => (await call(app, 'digest')).json();

test('everything goes along, then what has changed since, and both sides agree', async () => {
  const source = await startApp({ 1: ['bread'], 2: { ünï: [1, null, 'x\n'] }, gone: [] });
  const target = await startApp({ old: 'of an earlier run' });
  const cursor = (await move(source, target)).headers.get('x-drainshift-state-cursor');
  expect(Object.fromEntries(target.carts)).toEqual(Object.fromEntries(source.carts));
  expect(await digest(target)).toEqual(await digest(source));
  // In place, too: no write of the map says so.
  (source.carts.get('1') as string[]).push('milk');
  source.carts.set('3', 'new');
  source.carts.delete('gone');
  source.counts.set('visits', 7);
  expect(await tell(source, 'freeze', 1)).toEqual({ ok: true, epoch: 1 });
  expect(await digest(target)).not.toEqual(await digest(source));
  await move(source, target, `?since=${cursor}`);
  expect(Object.fromEntries(target.carts)).toEqual(Object.fromEntries(source.carts));
  expect(Object.fromEntries(target.counts)).toEqual({ visits: 7 });
  expect(await digest(target)).toMatchObject({ ...((await digest(source)) as object), keys: 4 });
});

test('an abort restores what was there before, and a commit keeps what came', async () => {
  const source = await startApp({ 1: 'a' });
  const target = await startApp({ 2: 'b' });
  const restored = () => Object.fromEntries(target.carts);
  await move(source, target);
  expect(restored()).toEqual({ 1: 'a' });
  await call(target, 'import', { method: 'DELETE' });
  expect(restored()).toEqual({ 2: 'b' });
  await move(source, target);
  await tell(target, 'thaw', 1);
  await call(target, 'import', { method: 'DELETE' });
  expect(restored()).toEqual({ 1: 'a' });
});

test('what comes late, when clients write here already, is no import', async () => {
  const app = await startApp({ 1: 'written here' });
  const importOf = (epoch: number) =>
    call(app, `import?id=${epoch}`, {
      ...{ method: 'POST', body: '["carts","1","old"]\n', headers: { 'x-drainshift-epoch': String(epoch) } },
    });
  expect((await importOf(0)).status).toBe(200);
  await call(app, 'import', { method: 'DELETE' });
  await tell(app, 'thaw', 3);
  const late = await importOf(2);
  expect([late.status, await late.json()]).toEqual([
    409,
    { ok: false, why: 'an import must be of epoch 3 or later, which serves here, got 2' },
  ]);
  expect(app.carts.get('1')).toBe('written here');
  expect((await importOf(3)).status).toBe(200);
});

test('while it is frozen nothing is written: not by requests, and not by what runs already', async () => {
  const app = await startApp({ 1: 'a' });
  expect(await (await fetch(app.url, { method: 'POST' })).text()).toBe('the app');
  await tell(app, 'freeze', 3);
  const rejected = await fetch(app.url, { method: 'PATCH', body: 'x' });
  expect([rejected.status, rejected.headers.get('retry-after')]).toEqual([503, '1']);
  expect((await fetch(app.url)).status).toBe(200);
  expect(() => app.carts.set('1', 'b')).toThrow(FrozenError);
  expect(() => app.carts.delete('1')).toThrow("'carts' must not be written while its state is moved");
  expect(() => app.counts.clear()).toThrow(FrozenError);
  expect([app.state.isFrozen, app.carts.get('1')]).toEqual([true, 'a']);
  await tell(app, 'thaw', 3);
  expect(app.carts.set('1', 'b')).toBe(app.carts);
  // It comes late: a thaw of the same switch has come before.
  expect(await tell(app, 'freeze', 3)).toEqual({ ok: false, why: 'a call of epoch 3 came before' });
  expect(await tell(app, 'thaw', 2)).toMatchObject({ ok: false });
  expect((await fetch(app.url, { method: 'POST' })).status).toBe(200);
});

test('a value that JSON cannot say is named, in place of arriving as another one', async () => {
  const why = async (value: unknown) =>
    ((await (await call(await startApp({ 1: value }), 'export')).json()) as { why: string }).why;
  expect(await why(new Date())).toBe("the value of '1' in 'carts' must be what JSON can say, got Date");
  expect(await why({ deep: [NaN] })).toContain('got NaN');
  expect(await why({ deep: undefined })).toContain('got undefined');
  expect(await why(new Map())).toContain('got Map');
});

test.each<[string, string, RequestInit, number, string]>([
  ['another path', 'nothing', {}, 404, 'the path must end with one of freeze, export, import, digest, thaw'],
  ['another method', 'freeze', {}, 405, "'freeze' must be called by POST"],
  ['a client', 'export', { headers: { 'x-forwarded-for': '203.0.113.9' } }, 403, 'for the cutover alone'],
  ['a call without an epoch', 'freeze', { method: 'POST', body: '{}' }, 400, "'epoch' must be a whole number"],
  ['a call without JSON', 'freeze', { method: 'POST', body: 'x' }, 400, 'the body must be JSON'],
  ['an unknown cursor', 'export?since=abc', {}, 409, "'since' must be the cursor of the last export, got 'abc'"],
  ['an import without an id', 'import', { method: 'POST', body: '' }, 400, "'id' must be given"],
  ['changes of nothing', 'import?id=1&since=x', { method: 'POST', body: '' }, 422, 'must follow one of everything'],
  ['an import in the middle', 'import?id=1&offset=9', { method: 'POST', body: '' }, 422, 'must go on at byte 0, got 9'],
  [
    'what is no line',
    'import?id=1',
    { method: 'POST', body: 'x\n' },
    422,
    'must have lines ["map","key",value], got x',
  ],
  ['half a line', 'import?id=1', { method: 'POST', body: '["carts",' }, 422, 'must end with a whole line, got 9 bytes'],
  [
    'an unknown map',
    'import?id=1',
    { method: 'POST', body: '["x","1",2]\n' },
    422,
    "entries of carts, counts, got one of 'x'",
  ],
  ['a map of Object', 'import?id=1', { method: 'POST', body: '["toString","1",2]\n' }, 422, "got one of 'toString'"],
])('%s gets a clear error', async (_, part, options, status, why) => {
  const app = await startApp();
  const response = await call(app, part, options);
  expect([response.status, await response.json()]).toEqual([
    status,
    { ok: false, why: expect.stringContaining(why) as unknown },
  ]);
});

test('a path of the cutover responds to OPTIONS, which preflight asks with', async () => {
  const app = await startApp();
  for (const part of ['freeze', 'export', 'import', 'digest', 'thaw'])
    expect((await call(app, part, { method: 'OPTIONS' })).status).toBe(200);
});

test('Express and Fastify take it, and what is not its own goes on', async () => {
  const maps = () => ({ carts: new Map([['1', 'a']]) });
  const ofExpress = new TransferableState({ path: '/internal/state/', maps: maps() });
  const web = express();
  web.use('/', ofExpress.express());
  web.use('/', express.json());
  web.post('/', (_, response) => void response.send('by Express'));
  const ofFastify = new TransferableState({ path: '/internal/state', maps: maps() });
  const fast = fastify();
  fast.addHook('onRequest', ofFastify.fastify());
  fast.post('/', () => 'by Fastify');
  later(() => fast.close());
  for (const [url, name] of [
    [await listen(web), 'by Express'],
    [await fast.listen({ port: 0 }), 'by Fastify'],
  ]) {
    const post = (path: string, body: object = {}) =>
      fetch(`${url}${path}`, {
        method: 'POST',
        body: JSON.stringify(body),
        headers: { 'content-type': 'application/json' },
      });
    expect(await (await post('/')).text()).toBe(name);
    expect(await (await post('/internal/state/freeze', { epoch: 1 })).json()).toEqual({ ok: true, epoch: 1 });
    expect((await post('/')).status).toBe(503);
    const imported = await fetch(`${url}/internal/state/import?id=1`, { method: 'POST', body: '["carts","2","b"]\n' });
    expect(await imported.json()).toEqual({ ok: true, bytes: 18, keys: 1 });
    expect(await (await fetch(`${url}/internal/state/export`)).text()).toBe('["carts","2","b"]\n');
  }
});

test('options that cannot be meant are rejected', () => {
  expect(() => new TransferableState({ path: 'state', maps: { a: new Map() } })).toThrow(
    "'path' must be a path such as /internal/state, got 'state'",
  );
  expect(() => new TransferableState({ path: '/state', maps: {} })).toThrow("'maps' must have one map at least");
});
