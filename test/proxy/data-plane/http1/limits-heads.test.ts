import { stopAll } from '../../support/world';
import {
  each,
  expectResponseAndClose,
  expectRejected,
  expectServes,
  expectUploadRejected,
  head,
  startStand,
} from './support/rejections';
import { connect, send } from './support/raw-client';
import { startUpstream } from './support/raw-upstream';

afterEach(stopAll);

const LIMITS = { requestLineBytes: 200, fieldBytes: 1_000, fieldLines: 20 };
const fields = (count: number) => Array.from({ length: count }, (_, index) => `X-${index}: a`);
const get = (...lines: string[]) => head('GET / HTTP/1.1', 'Host: a', ...lines);

test.each([
  ...each(414, {
    'a long request line': head(`GET /${'a'.repeat(250)} HTTP/1.1`, 'Host: a'),
    'a long query': head(`GET /?${'a'.repeat(250)} HTTP/1.1`, 'Host: a'),
    'a request line without an end': `GET /${'a'.repeat(250)}`,
    'a very long request line': head(`GET /${'a'.repeat(300_000)} HTTP/1.1`, 'Host: a'),
  }),
  ...each(431, {
    'one field line more': get(...fields(20)),
    'many field lines': get(...fields(100)),
    'a long value': get(`X: ${'a'.repeat(1_100)}`),
    'a long name': get(`${'X'.repeat(1_100)}: a`),
    'many bytes in some lines': get(...fields(10).map((line) => line + 'a'.repeat(110))),
    'a value without an end': `GET / HTTP/1.1\r\nHost: a\r\nX: ${'a'.repeat(1_100)}`,
    'field lines without an end': `GET / HTTP/1.1\r\n${'X: a\r\n'.repeat(300)}`,
    'a very long value': get(`X: ${'a'.repeat(300_000)}`),
  }),
])('over the limit: %s', (_, bytes, status) => expectRejected(bytes, status, { limits: LIMITS }));

test.each(
  each(200, {
    'a request line': head(`GET /${'a'.repeat(170)} HTTP/1.1`, 'Host: a'),
    'field lines': get(...fields(19)),
    'bytes of fields': get(`X: ${'a'.repeat(900)}`),
  }),
)('within the limit: %s', async (_, bytes, status) => {
  const { engine } = await startStand({ limits: LIMITS });
  const client = await send(engine.port, bytes);
  expect(await client.statuses()).toEqual([status]);
});

test('a head within the limits may come byte by byte', async () => {
  const { engine } = await startStand({ limits: LIMITS });
  const client = await connect(engine.port);
  for (const byte of get('X: a')) {
    client.send(byte);
    await new Promise(setImmediate);
  }
  expect(await client.statuses()).toEqual([200]);
});

test('an upload behind a good head has no limit', async () => {
  const { engine, upstream } = await startStand({ limits: LIMITS });
  const client = await send(
    engine.port,
    head('POST / HTTP/1.1', 'Host: a', 'Content-Length: 300000') + 'x'.repeat(300_000),
  );
  expect(await client.statuses()).toEqual([200]);
  expect(upstream.requests[0]?.body).toHaveLength(300_000);
});

test('a client that goes on sending after its rejection still reads it', async () => {
  const stand = await startStand();
  const client = await connect(stand.engine.port);
  client.send(head('POST / HTTP/1.1', 'Host: a', 'Host: b', 'Content-Length: 4000000'));
  for (let sent = 0; sent < 4_000_000 && !client.hasEnded; sent += 100_000) {
    client.send('x'.repeat(100_000));
    await new Promise(setImmediate);
  }
  expect(await client.statuses()).toEqual([400]);
  await expectServes(stand);
});

test('chunks of one byte each are not taken for a head', async () => {
  const { engine, upstream } = await startStand({ limits: LIMITS });
  const post = head('POST / HTTP/1.1', 'Host: a', 'Transfer-Encoding: chunked');
  const client = await send(engine.port, `${post}${'1\r\nx\r\n'.repeat(5_000)}0\r\n\r\n`);
  expect(await client.statuses()).toEqual([200]);
  expect(upstream.requests[0]?.body).toHaveLength(5_000);
});

test('further clients are turned away as they come, and taken again when one has left', async () => {
  const stand = await startStand({ limits: { clientConnections: 2 } });
  const clients = [await send(stand.engine.port, get()), await send(stand.engine.port, get())];
  for (const client of clients) expect(await client.statuses()).toEqual([200]);
  const third = await send(stand.engine.port, get());
  await expectResponseAndClose(third, 503);
  clients[0]?.reset();
  clients[1]?.send(get('X: again'));
  expect(await clients[1]?.statuses(2)).toEqual([200, 200]);
  await expectServes(stand);
});

test('requests that would wait behind too many others fail as full', async () => {
  const upstream = await startUpstream(() => undefined);
  const { engine } = await startStand({ limits: { upstreamConnections: 1, waitingRequests: 1 } }, upstream);
  const first = await send(engine.port, get());
  await upstream.when(({ requests }) => requests.length === 1);
  const others = [await send(engine.port, get()), await send(engine.port, get())];
  const refused = await Promise.race(others.map(async (client) => ({ client, responses: await client.responds() })));
  expect(refused.responses[0]).toMatchObject({ status: 502, body: 'full' });
  upstream.connections[0]?.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
  expect(await first.statuses()).toEqual([200]);
  await upstream.when(({ requests }) => requests.length === 2);
  expect(upstream.connections).toHaveLength(1);
});

test('the default limits hold against a head that never ends', async () => {
  await expectRejected(`GET / HTTP/1.1\r\nHost: a\r\nX: ${'a'.repeat(1_000_000)}`, 431);
  await expectRejected(`GET /${'a'.repeat(1_000_000)}`, 414);
});

test('trailers count as a head', () =>
  expectUploadRejected(
    `${head('POST / HTTP/1.1', 'Host: a', 'Transfer-Encoding: chunked')}0\r\n${head(...fields(21))}`,
    [400, 431],
    { limits: LIMITS },
  ));
