import { liveIn, stopAll, until } from '../../support/world';
import { Stand, expectServes, head, startStand } from './support/rejections';
import { RawResponse, connect, send } from './support/raw-client';
import { RawRequest, startUpstream } from './support/raw-upstream';

afterEach(stopAll);

const get = (target: string, method = 'GET') => head(`${method} ${target} HTTP/1.1`, 'Host: a');
const post = (target: string, body: string) =>
  head(`POST ${target} HTTP/1.1`, 'Host: a', `Content-Length: ${body.length}`) + body;
const chunked = (target: string, body: string) =>
  `${head(`POST ${target} HTTP/1.1`, 'Host: a', 'Transfer-Encoding: chunked')}${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;

/** Says what it was asked. */
function echo({ method, target, body }: RawRequest): string {
  const text = `${method} ${target} ${body}`;
  return head('HTTP/1.1 200 OK', `Content-Length: ${text.length}`) + (method === 'HEAD' ? '' : text);
}

async function startEcho(): Promise<Stand> {
  return startStand({}, await startUpstream(echo));
}

const bodies = (responses: readonly RawResponse[]) => responses.map(({ body }) => body);

test('a hundred requests in one packet', async () => {
  const stand = await startEcho();
  const targets = Array.from({ length: 100 }, (_, index) => `/${index}`);
  const client = await send(stand.engine.port, targets.map((target) => get(target)).join(''));
  expect(bodies(await client.responds(100))).toEqual(targets.map((target) => `GET ${target} `));
  expect([...stand.upstream.targets].sort()).toEqual([...targets].sort());
  await expectServes(stand);
});

const MIXED: [bytes: string, method: string, body: string][] = [
  [get('/1'), 'GET', 'GET /1 '],
  [post('/2', 'two'), 'POST', 'POST /2 two'],
  [get('/3', 'HEAD'), 'HEAD', ''],
  [chunked('/4', get('/hidden')), 'POST', `POST /4 ${get('/hidden')}`],
  [get('/5', 'DELETE'), 'DELETE', 'DELETE /5 '],
  [post('/6', ''), 'POST', 'POST /6 '],
  [get('/7', 'OPTIONS'), 'OPTIONS', 'OPTIONS /7 '],
  [`${head('GET /8 HTTP/1.1', 'Host: a', 'Content-Length: 5')}hello`, 'GET', 'GET /8 hello'],
  [`\r\n${get('/9')}`, 'GET', 'GET /9 '],
];

test.each([
  ['in one packet', 1_000_000],
  ['in packets of 7 bytes', 7],
  ['in packets of 64 bytes', 64],
])('mixed methods, with and without bodies, %s', async (_, size) => {
  const stand = await startEcho();
  const methods = MIXED.map(([, method]) => method);
  const bytes = MIXED.map(([each]) => each).join('');
  const client = await connect(stand.engine.port, methods);
  for (let at = 0; at < bytes.length; at += size) {
    client.send(bytes.slice(at, at + size));
    await new Promise(setImmediate);
  }
  expect(bodies(await client.responds(MIXED.length))).toEqual(MIXED.map(([, , body]) => body));
  expect(stand.upstream.targets).not.toContain('/hidden');
  await expectServes(stand);
});

test('a slow response comes before the quick ones behind it', async () => {
  let respondSlowly: () => void = () => undefined;
  const upstream = await startUpstream((request, connection) => {
    if (request.target !== '/slow') return echo(request);
    respondSlowly = () => connection.write(echo(request));
    return undefined;
  });
  const stand = await startStand({}, upstream);
  const client = await send(stand.engine.port, get('/slow') + get('/quick') + get('/last', 'HEAD') + get('/end'), [
    'GET',
    'GET',
    'HEAD',
  ]);
  await upstream.when(({ targets }) => targets.includes('/slow'));
  const other = await send(stand.engine.port, get('/other'));
  await other.responds();
  expect(client.received).toBe('');
  respondSlowly();
  expect(bodies(await client.responds(4))).toEqual(['GET /slow ', 'GET /quick ', '', 'GET /end ']);
});

test('a failed exchange keeps its place', async () => {
  const upstream = await startUpstream((request, { socket }) => {
    if (request.target !== '/2') return echo(request);
    socket.destroy();
    return undefined;
  });
  const stand = await startStand({}, upstream);
  const client = await send(stand.engine.port, get('/1') + post('/2', 'x') + get('/3'));
  const responses = await client.responds(3);
  expect(responses.map(({ status }) => status)).toEqual([200, 502, 200].slice(0, responses.length));
  expect(responses.length).toBeGreaterThanOrEqual(2);
  await expectServes(stand);
});

test.each([
  ['no HTTP', 'NONSENSE\r\n\r\n', 400],
  ['two Hosts', head('GET /bad HTTP/1.1', 'Host: a', 'Host: b'), 400],
  ['both framings', head('POST /bad HTTP/1.1', 'Host: a', 'Content-Length: 5', 'Transfer-Encoding: chunked'), 400],
  ['a fragment', get('/bad#'), 400],
  ['HTTP/3.0', head('GET /bad HTTP/3.0', 'Host: a'), 505],
])('what comes before a bad request is served, what comes behind it is not: %s', async (_, bad, status) => {
  const stand = await startEcho();
  const client = await send(stand.engine.port, get('/1') + post('/2', 'two') + bad + get('/behind'));
  const responses = await client.responds(4);
  expect(responses.map((response) => response.status)).toEqual([200, 200, status]);
  expect(client.hasEnded).toBe(true);
  await expectServes(stand);
  expect(stand.upstream.targets).toEqual(['/1', '/2', '/sentinel']);
});

test.each([
  ['Connection: close', head('GET /1 HTTP/1.1', 'Host: a', 'Connection: close')],
  ['HTTP/1.0', head('GET /1 HTTP/1.0', 'Host: a')],
])('nothing behind %s is served', async (_, bytes) => {
  const stand = await startEcho();
  const client = await send(stand.engine.port, bytes + get('/behind'));
  expect(bodies(await client.responds(2))).toEqual(['GET /1 ']);
  expect(client.hasEnded).toBe(true);
  await expectServes(stand);
  expect(stand.upstream.targets).toEqual(['/1', '/sentinel']);
});

/** A plane that responds to `/own…` by itself, at once. */
async function startOwn(): Promise<Stand> {
  const upstream = await startUpstream(echo);
  const own = (url: string) => ({ response: { status: 200, body: `own ${url}` } });
  const forward = { forward: { upstream: { protocol: 'http' as const, host: '127.0.0.1', port: upstream.port } } };
  return startStand({ route: ({ url }) => (url.startsWith('/own') ? own(url) : forward) }, upstream);
}

test('responses of the proxy itself keep their place among the upstream’s', async () => {
  const stand = await startOwn();
  const targets = ['/own1', '/2', '/own3', '/own4', '/5', '/own6'];
  const client = await send(stand.engine.port, targets.map((target) => get(target)).join(''));
  const expected = targets.map((target) => (target.startsWith('/own') ? `own ${target}` : `GET ${target} `));
  expect(bodies(await client.responds(targets.length))).toEqual(expected);
  await expectServes(stand);
});

test.each([
  ['a GET', head('GET /own HTTP/1.1', 'Host: a', 'Connection: close')],
  ['an upload', `${head('POST /own HTTP/1.1', 'Host: a', 'Connection: close', 'Content-Length: 5')}hello`],
  ['HTTP/1.0', head('GET /own HTTP/1.0', 'Host: a')],
])('nothing behind a last response of the proxy itself is served: %s', async (_, bytes) => {
  const stand = await startOwn();
  const client = await send(stand.engine.port, bytes + get('/behind') + get('/own/behind'));
  expect(bodies(await client.responds(2))).toEqual(['own /own']);
  expect(client.hasEnded).toBe(true);
  await expectServes(stand);
  expect(stand.upstream.targets).toEqual(['/sentinel']);
});

test('a body behind a response of the proxy itself is no request', async () => {
  const stand = await startOwn();
  const client = await connect(stand.engine.port);
  client.send(head('POST /own HTTP/1.1', 'Host: a', `Content-Length: ${get('/hidden').length}`));
  expect(bodies(await client.responds())).toEqual(['own /own']);
  if (!client.hasEnded) client.send(get('/hidden') + get('/next'));
  const second = bodies(await client.responds(2))[1];
  if (second !== undefined) expect(second).toBe('GET /next ');
  await expectServes(stand);
  expect(stand.upstream.targets).not.toContain('/hidden');
});

const UPGRADE = head(
  'GET /ws HTTP/1.1',
  'Host: a',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
);

test('an upgrade keeps its place behind other requests', async () => {
  const stand = await startEcho();
  const client = await send(stand.engine.port, get('/1') + post('/2', 'two') + UPGRADE);
  expect(bodies(await client.responds(3))).toEqual(['GET /1 ', 'POST /2 two', 'GET /ws ']);
  await expectServes(stand);
});

test('what stands behind an upgrade that was declined is served in order, or not at all', async () => {
  const stand = await startEcho();
  const client = await send(stand.engine.port, get('/1') + UPGRADE + get('/3') + post('/4', 'four'));
  const got = bodies(await client.responds(4));
  expect(got.length).toBeGreaterThanOrEqual(2);
  expect(got).toEqual(['GET /1 ', 'GET /ws ', 'GET /3 ', 'POST /4 four'].slice(0, got.length));
  await expectServes(stand);
});

test('a client that leaves takes all its pipelined requests with it', async () => {
  const upstream = await startUpstream((request) => (request.target === '/sentinel' ? echo(request) : undefined));
  const stand = await startStand({}, upstream);
  const client = await send(stand.engine.port, Array.from({ length: 20 }, (_, index) => get(`/${index}`)).join(''));
  await upstream.when(({ requests }) => requests.length > 0);
  client.reset();
  await until(() => liveIn(stand.engine.ledger) === 0);
  await expectServes(stand);
});

test('a response is not kept back by the requests that could still come', async () => {
  const stand = await startEcho();
  const client = await send(stand.engine.port, `${get('/1')}GET /2 HT`);
  expect(bodies(await client.responds())).toEqual(['GET /1 ']);
  client.send(get('/2').slice('GET /2 HT'.length));
  expect(bodies(await client.responds(2))).toEqual(['GET /1 ', 'GET /2 ']);
});
