import { stopAll, until } from '../../support/world';
import { Stand, expectServes, head, startStand } from './support/rejections';
import { RawClient, connect, findField, send } from './support/raw-client';
import { RespondWith, OK, startUpstream } from './support/raw-upstream';

afterEach(stopAll);

const EVIL = `${head('HTTP/1.1 200 OK', 'Content-Length: 4', 'X-Evil: 1')}evil`;
const get = (target: string, method = 'GET') => head(`${method} ${target} HTTP/1.1`, 'Host: a');

async function startBefore(respondWith: RespondWith): Promise<Stand> {
  return startStand(
    {},
    await startUpstream((request, upstream) => (request.target === '/1' ? respondWith(request, upstream) : OK)),
  );
}

/** After `/1` the next request gets its own response, over another connection than that of `/1`. */
async function expectFresh(stand: Stand, client: RawClient, firstStatus = 200): Promise<void> {
  const [first] = await client.responds();
  expect(first?.status).toBe(firstStatus);
  await stand.upstream.when(({ connections }) => connections[0]?.isClosed ?? false);
  const next = await send(stand.engine.port, get('/2'));
  expect((await next.responds())[0]).toMatchObject({ status: 200, body: 'ok' });
  expect(client.received + next.received).not.toMatch(/evil/i);
  expect(stand.upstream.requests.find(({ target }) => target === '/2')?.connection).toBe(1);
  await expectServes(stand);
}

test.each([
  ['a second response behind a length', OK + EVIL, 'GET', 200],
  ['a byte behind a length', `${OK}x`, 'GET', 200],
  ['a line end behind a length', `${OK}\r\n`, 'GET', 200],
  [
    'a second response behind the last chunk',
    `${head('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked')}0\r\n\r\n${EVIL}`,
    'GET',
    200,
  ],
  [
    'a second response behind trailers',
    `${head('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked')}0\r\nX: 1\r\n\r\n${EVIL}`,
    'GET',
    200,
  ],
  ['a second response behind no body', head('HTTP/1.1 200 OK', 'Content-Length: 0') + EVIL, 'GET', 200],
  ['a body behind the response to HEAD', `${head('HTTP/1.1 200 OK', 'Content-Length: 4')}evil`, 'HEAD', 200],
  [
    'chunks behind the response to HEAD',
    `${head('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked')}4\r\nevil\r\n0\r\n\r\n`,
    'HEAD',
    200,
  ],
  ['a body behind 204', `${head('HTTP/1.1 204 No', 'Content-Length: 4')}evil`, 'GET', 204],
  ['chunks behind 204', `${head('HTTP/1.1 204 No', 'Transfer-Encoding: chunked')}4\r\nevil\r\n0\r\n\r\n`, 'GET', 204],
  ['a second response behind 204', head('HTTP/1.1 204 No') + EVIL, 'GET', 204],
  ['a body behind 304', `${head('HTTP/1.1 304 No', 'Content-Length: 4')}evil`, 'GET', 304],
])('bytes behind a whole response never reach another request: %s', async (_, bytes, method, status) => {
  const stand = await startBefore(() => bytes);
  const client = await send(stand.engine.port, get('/1', method), [method]);
  await expectFresh(stand, client, status);
});

test('nor do bytes that come while the connection waits for the next request', async () => {
  const stand = await startBefore(() => OK);
  const client = await send(stand.engine.port, get('/1'));
  await client.responds();
  stand.upstream.connections[0]?.write(EVIL);
  await expectFresh(stand, client);
});

test('nor the response to a request whose client has left', async () => {
  const stand = await startBefore(() => undefined);
  const client = await send(stand.engine.port, get('/1'));
  await stand.upstream.when(({ requests }) => requests.length === 1);
  client.reset();
  await stand.upstream.when(({ connections }) => connections[0]?.isClosed ?? false);
  stand.upstream.connections[0]?.write(EVIL);
  const next = await send(stand.engine.port, get('/2'));
  expect((await next.responds())[0]?.body).toBe('ok');
  await expectServes(stand);
});

test.each([
  ['HTTP/1.0', `${head('HTTP/1.0 200 OK', 'Content-Length: 2')}ok`],
  ['Connection: close', `${head('HTTP/1.1 200 OK', 'Connection: close', 'Content-Length: 2')}ok`],
  ['Connection: CLOSE among others', `${head('HTTP/1.1 200 OK', 'Connection: x, CLOSE', 'Content-Length: 2')}ok`],
])('a connection that the upstream will close is not used again: %s', async (_, bytes) => {
  const stand = await startBefore(() => bytes);
  const client = await send(stand.engine.port, get('/1'));
  await expectFresh(stand, client);
});

test('a connection over which all went well is used again', async () => {
  const stand = await startBefore(() => OK);
  const client = await send(stand.engine.port, get('/1'));
  await client.responds();
  client.send(get('/2'));
  expect(await client.statuses(2)).toEqual([200, 200]);
  expect(stand.upstream.connections).toHaveLength(1);
});

test.each([
  ['HEAD, a length', 'HEAD', head('HTTP/1.1 200 OK', 'Content-Length: 4'), '4'],
  ['HEAD, chunked', 'HEAD', head('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked'), undefined],
  ['HEAD, no framing', 'HEAD', head('HTTP/1.1 200 OK'), undefined],
  ['HEAD, an error', 'HEAD', head('HTTP/1.1 404 No', 'Content-Length: 9'), '9'],
  ['304, a length', 'GET', head('HTTP/1.1 304 No', 'Content-Length: 4'), '4'],
  ['304, no framing', 'GET', head('HTTP/1.1 304 No'), undefined],
  ['204', 'GET', head('HTTP/1.1 204 No'), undefined],
])('no body, and the length as the upstream says it: %s', async (_, method, bytes, length) => {
  const stand = await startBefore(() => bytes);
  const client = await send(stand.engine.port, get('/1', method) + get('/2'), [method, 'GET']);
  const [first, second] = await client.responds(2);
  expect(findField(first, 'content-length')).toBe(length);
  expect(second).toMatchObject({ status: 200, body: 'ok' });
  expect(client.read().rest).toBe('');
});

test.each(['Content-Length: 4', 'Content-Length: 0', 'Transfer-Encoding: chunked'])(
  '204 with %s: neither framing passes',
  async (line) => {
    const stand = await startBefore(() => head('HTTP/1.1 204 No', line));
    const client = await send(stand.engine.port, get('/1') + get('/2'));
    const [first, second] = await client.responds(2);
    expect(first?.status).toBe(204);
    expect(findField(first, 'content-length')).toBeUndefined();
    expect(findField(first, 'transfer-encoding')).toBeUndefined();
    expect(second).toMatchObject({ status: 200, body: 'ok' });
  },
);

const EARLY = `${head('HTTP/1.1 200 OK', 'Content-Length: 5')}early`;

/** An upstream that responds to an upload as soon as it has its head. */
async function startEarly(): Promise<Stand> {
  const upstream = await startUpstream(
    ({ target }) => (target === '/1' ? undefined : OK),
    (connection) => {
      if (connection.received.startsWith('POST /1') && !connection.isSwitched) {
        connection.write(EARLY);
        connection.isSwitched = true;
      }
    },
  );
  return startStand({}, upstream);
}

test.each([
  ['a length', 'Content-Length: 40', get('/hidden').slice(0, 40).padEnd(40)],
  ['chunks', 'Transfer-Encoding: chunked', `23\r\n${get('/hidden').padEnd(35)}\r\n0\r\n\r\n`],
])(
  'a response that comes before the request is whole leaves nothing of its body behind: %s',
  async (_, framing, body) => {
    const stand = await startEarly();
    const client = await connect(stand.engine.port);
    client.send(head('POST /1 HTTP/1.1', 'Host: a', framing) + body.slice(0, 4));
    expect((await client.responds())[0]).toMatchObject({ status: 200, body: 'early' });
    if (!client.hasEnded) client.send(body.slice(4) + get('/2'));
    const statuses = await client.statuses(2);
    expect(statuses.filter((status) => status !== 200)).toEqual([]);
    await until(() => stand.engine.outcomes.length >= statuses.length);
    await expectServes(stand);
    expect(stand.engine.heads.map(({ url }) => url)).not.toContain('/hidden');
    expect(stand.upstream.targets).not.toContain('/hidden');
    const others = stand.upstream.requests.map(({ connection }) => connection);
    // The upstream’s connection still waits for the rest of a body: only a body may go over it.
    for (const connection of others) expect(connection).toBeGreaterThan(0);
  },
);
