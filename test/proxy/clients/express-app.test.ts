import http, { ClientRequest } from 'node:http';
import { computeDigest, pieces, sha256, findStream } from './support/bytes';
import { ExpressApp, PAGE, startExpressApp } from './support/express-app';
import { ProxyCommand, problemsOnceAllIsOver, startProxyCommand } from './support/proxy-command';
import { callAdmin } from '../support/proxy-world';
import { get, stopAll, until } from '../support/world';

let app: ExpressApp;
let proxy: ProxyCommand;
let base: string;

beforeAll(async () => {
  app = await startExpressApp();
  proxy = await startProxyCommand(app.port);
  base = `http://127.0.0.1:${proxy.port}`;
});
afterAll(stopAll);

const MIB = 2 ** 20;
const findStatus = ({ status }: { readonly status: number }) => status;
/** Of one connection, or of the moment. */
const CHANGING = ['connection', 'keep-alive', 'date'];

async function readResponse(url: string, init: RequestInit): Promise<unknown> {
  const response = await fetch(url, { redirect: 'manual', ...init });
  const fields = [...response.headers].filter(([name]) => !CHANGING.includes(name));
  return { status: response.status, reason: response.statusText, fields, body: await response.text() };
}

describe('fetch gets what the app alone would have responded', () => {
  const json = { 'content-type': 'application/json' };
  test.each<[string, RequestInit]>([
    ['/json?a=1&b=%20x&b=%C3%BC', {}],
    ['/json', { method: 'POST', headers: json, body: JSON.stringify({ name: 'Jörg', list: [1, 2, 3] }) }],
    ['/json', { method: 'POST', headers: json, body: '{"broken"' }],
    ['/files/page.html', {}],
    ['/files/page.html', { method: 'HEAD' }],
    ['/files/page.html', { headers: { range: 'bytes=10-19' } }],
    ['/files/page.html', { headers: { range: 'bytes=-5' } }],
    ['/files/page.html', { headers: { range: 'bytes=999999-' } }],
    ['/files/../../etc/passwd', {}],
    ['/files/absent.html', {}],
    ['/gzip', {}],
    ['/old', {}],
    ['/moved', { method: 'POST' }],
    ['/nothing', {}],
    ['/absent', {}],
    ['/json', { method: 'DELETE' }],
    ['/json', { method: 'OPTIONS' }],
    ['/fails', {}],
    ['/me', {}],
    ['/me', { headers: { cookie: 'session=unknown; theme=dark' } }],
    ['/download?length=0', {}],
    ['/download?length=70000&sized', {}],
    ['/echo', { method: 'POST', body: 'x' }],
    ['/echo', { method: 'POST', body: '' }],
  ])('%s %j', async (path, init) => {
    const alone = await readResponse(`http://127.0.0.1:${app.port}${path}`, init);
    expect(await readResponse(base + path, init)).toEqual(alone);
  });
});

test('a file that did not change is not sent again', async () => {
  const path = '/files/page.html';
  const first = await get({ port: proxy.port, path });
  expect(first.body).toBe(PAGE);
  const { etag, 'last-modified': since } = first.headers;
  for (const headers of [{ 'if-none-match': etag }, { 'if-modified-since': since }]) {
    const again = await get({ port: proxy.port, path, headers });
    expect(again).toMatchObject({ status: 304, headers: { etag }, body: '' });
  }
});

test('a body that the app has compressed comes as it is, and fetch reads it', async () => {
  expect((await get({ port: proxy.port, path: '/gzip' })).headers).toMatchObject({ 'content-encoding': 'gzip' });
  expect(await (await fetch(`${base}/gzip`)).text()).toBe(PAGE);
});

test('the app knows its client and the name that it was asked by', async () => {
  const got = await get({ port: proxy.port, path: '/who', headers: { host: 'shop.example' } });
  expect(JSON.parse(got.body)).toEqual({ ip: '127.0.0.1', hostname: 'shop.example', protocol: 'http' });
});

test.each(['', '&sized'])('a download of 24 MiB is whole%s', async (sized) => {
  const length = 24 * MIB;
  const response = await fetch(`${base}/download?length=${length}${sized}`);
  const digest = await computeDigest(response.body!);
  expect(digest).toEqual({ bytes: length, sha256: response.headers.get('x-sha256') });
});

test.each([true, false])('an upload of 24 MiB is whole, chunked: %s', async (isChunked) => {
  const length = 24 * MIB;
  const headers = isChunked ? {} : { 'content-length': length };
  const options = { port: proxy.port, method: 'PUT', path: '/upload', headers };
  const got = await get(options, (request: ClientRequest) => void findStream(length).pipe(request));
  expect(JSON.parse(got.body)).toEqual({ bytes: length, sha256: sha256(pieces(length)) });
});

test('an upload and its response flow at the same time', async () => {
  const request = http.request(`${base}/echo`, { method: 'POST', agent: false });
  request.flushHeaders();
  const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
    request.once('response', resolve).once('error', reject);
    request.write('ping 0\n');
  });
  let echoed = '';
  response.on('data', (piece: Buffer) => (echoed += piece.toString()));
  for (let turn = 1; turn <= 5; turn += 1) {
    await until(() => echoed.endsWith(`ping ${turn - 1}\n`));
    request.write(`ping ${turn}\n`);
  }
  request.end();
  await until(() => response.complete);
  expect(echoed).toBe([0, 1, 2, 3, 4, 5].map((turn) => `ping ${turn}\n`).join(''));
});

test('a login sets both cookies, and the session goes on', async () => {
  const body = new URLSearchParams({ user: 'ada' });
  const login = await fetch(`${base}/login`, { method: 'POST', body, redirect: 'manual' });
  expect(login.status).toBe(303);
  const cookies = login.headers.getSetCookie();
  expect(cookies).toEqual([expect.stringMatching(/^session=s\d+; Path=\/; HttpOnly$/), 'theme=dark; Path=/']);
  const cookie = cookies.map((line) => line.split(';')[0]).join('; ');
  const me = await fetch(base + login.headers.get('location'), { headers: { cookie } });
  expect(await me.json()).toEqual({ user: 'ada' });
});

test('fetch follows redirects, with the body where they ask for it', async () => {
  const old = await fetch(`${base}/old`);
  expect(old.url).toBe(`${base}/json?from=old`);
  expect(await old.json()).toEqual({ hello: 'world', query: { from: 'old' } });
  const headers = { 'content-type': 'application/json' };
  const moved = await fetch(`${base}/moved`, { method: 'POST', headers, body: '{"kept":true}' });
  expect(await moved.json()).toEqual({ got: { kept: true } });
});

test('a response that the app breaks off is broken off, not ended', async () => {
  const response = await fetch(`${base}/breaks`);
  expect(response.status).toBe(200);
  await expect(response.text()).rejects.toThrow('terminated');
});

test('events come as they are sent, and the app hears when their reader leaves', async () => {
  const leaving = new AbortController();
  const response = await fetch(`${base}/events`, { headers: { 'last-event-id': '41' }, signal: leaving.signal });
  expect(response.headers.get('content-type')).toMatch(/^text\/event-stream/);
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  const next = async () => (await reader.read()).value;
  expect(await next()).toBe('retry: 500\n: since 41\n\n');
  for (const id of [42, 43]) {
    for (const listener of app.listeners) listener.write(`id: ${id}\ndata: tick\n\n`);
    expect(await next()).toBe(`id: ${id}\ndata: tick\n\n`);
  }
  leaving.abort();
  await until(() => app.listeners.size === 0);
});

test('an agent of node:http keeps its connection through responses of all sorts', async () => {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const visits: [string, string, number][] = [
    ['GET', '/json', 200],
    ['HEAD', '/files/page.html', 200],
    ['GET', '/nothing', 204],
    ['GET', '/files/absent', 404],
    ['POST', '/echo', 200],
    ['GET', '/fails', 500],
    ['HEAD', '/json', 200],
    ['GET', '/download?length=200000', 200],
    ['GET', '/old', 301],
  ];
  let reused = 0;
  for (let round = 0; round < 20; round += 1) {
    for (const [method, path, status] of visits) {
      const got = await get({ port: proxy.port, agent, method, path }, (request) => {
        request.end(method === 'POST' ? 'body' : undefined);
        request.once('finish', () => (reused += request.reusedSocket ? 1 : 0));
      });
      expect([method, path, got.status]).toEqual([method, path, status]);
    }
  }
  agent.destroy();
  expect(reused).toBe(20 * visits.length - 1);
});

test('a drain and its end cost a client with kept connections no request', async () => {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 4 });
  const visit = (id: number) => get({ port: proxy.port, agent, path: `/json?id=${id}` });
  const findStatuses = async () =>
    (await Promise.all(Array.from({ length: 40 }, (_, id) => visit(id)))).map(findStatus);
  const all = Array.from({ length: 40 }, () => 200);
  expect(await findStatuses()).toEqual(all);
  for (const path of ['/drain', '/undrain']) {
    const [statuses, notified] = await Promise.all([
      findStatuses(),
      callAdmin(proxy.adminPort, { method: 'POST', path }),
    ]);
    expect(notified.status).toBe(202);
    expect(statuses).toEqual(all);
    expect(await findStatuses()).toEqual(all);
  }
  expect((await visit(0)).headers.connection).not.toBe('close');
  agent.destroy();
});

test('300 requests at a time each get their own response', async () => {
  const asked = Array.from({ length: 300 }, (_, index) => String(index));
  const got = await Promise.all(
    asked.map(async (id) => ((await (await fetch(`${base}/json?id=${id}`)).json()) as { query: { id: string } }).query),
  );
  expect(got).toEqual(asked.map((id) => ({ id })));
});

test('nothing of all this is left, and none of it was an error', async () => {
  expect(await problemsOnceAllIsOver(proxy)).toEqual([]);
});
