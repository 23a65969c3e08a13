import { stopAll } from '../../support/world';
import { expectServes, head, startStand } from './support/rejections';
import { RawClient, connect, findField, send } from './support/raw-client';
import { OK, startUpstream } from './support/raw-upstream';

afterEach(stopAll);

const POST = head('POST / HTTP/1.1', 'Host: a', 'Content-Length: 5');
const CHUNKED = head('POST / HTTP/1.1', 'Host: a', 'Transfer-Encoding: chunked');
const GET = head('GET / HTTP/1.1', 'Host: a');

async function expect408(client: RawClient): Promise<void> {
  const [response] = await client.responds();
  expect(response?.status).toBe(408);
  expect(findField(response, 'connection')?.toLowerCase()).toBe('close');
  await client.when(({ hasEnded }) => hasEnded);
  expect(client.read().responses).toHaveLength(1);
}

test.each([
  'G',
  'GET /',
  'GET / HTTP/1.1\r\n',
  'GET / HTTP/1.1\r\nHost: a',
  'GET / HTTP/1.1\r\nHost: a\r\n',
  `${GET.slice(0, -1)}`,
])('a head that stops at %j gets 408', async (part) => {
  const stand = await startStand({ timeouts: { headMs: 100 } });
  await expect408(await send(stand.engine.port, part));
  await expectServes(stand);
  expect(stand.upstream.targets).toEqual(['/sentinel']);
});

test('so is one that trickles, byte by byte', async () => {
  const stand = await startStand({ timeouts: { headMs: 150 } });
  const client = await send(stand.engine.port, 'GET / HTTP/1.1\r\nHost: a\r\nX: ');
  const timer = setInterval(() => (client.hasEnded ? undefined : client.send('a')), 10);
  await expect408(client).finally(() => clearInterval(timer));
  await expectServes(stand);
});

test('and the second head of a connection', async () => {
  const stand = await startStand({ timeouts: { headMs: 100 } });
  const client = await send(stand.engine.port, `${GET}GET /slow HT`);
  expect(await client.statuses(2)).toEqual([200, 408]);
  await client.when(({ hasEnded }) => hasEnded);
});

test.each([
  ['a length', POST],
  ['a length, of which some came', `${POST}he`],
  ['chunks, of which none came', CHUNKED],
  ['half a chunk size', `${CHUNKED}1`],
  ['a chunk size', `${CHUNKED}5\r\n`],
  ['half a chunk', `${CHUNKED}5\r\nhe`],
  ['a chunk without its line end', `${CHUNKED}5\r\nhello`],
  ['no last chunk', `${CHUNKED}5\r\nhello\r\n`],
  ['half a last chunk', `${CHUNKED}5\r\nhello\r\n0\r\n`],
  ['half a trailer', `${CHUNKED}5\r\nhello\r\n0\r\nX: 1`],
])('a body that stops gets 408, and its upstream released: %s', async (_, bytes) => {
  const stand = await startStand({ timeouts: { bodyIdleMs: 100 } });
  await expect408(await send(stand.engine.port, bytes));
  await stand.upstream.when(({ connections }) => connections.every(({ isClosed }) => isClosed));
  await expectServes(stand);
  expect(stand.upstream.targets).toEqual(['/sentinel']);
});

test('a kept-alive connection that is idle is closed without a word', async () => {
  const stand = await startStand({ timeouts: { clientIdleMs: 100, headMs: 100 } });
  const client = await send(stand.engine.port, GET);
  await client.responds();
  const before = client.received;
  await client.when(({ hasEnded }) => hasEnded);
  expect(client.received).toBe(before);
  expect(client.wasReset).toBe(false);
  await expectServes(stand);
});

test.each(['', '\r\n'])('a connection over which no request came is closed: %j', async (bytes) => {
  const stand = await startStand({ timeouts: { clientIdleMs: 100, headMs: 100 } });
  const client = await connect(stand.engine.port);
  if (bytes !== '') client.send(bytes);
  await client.when(({ hasEnded }) => hasEnded);
  expect(client.received).toMatch(/^$|^HTTP\/1\.1 408 /);
  await expectServes(stand);
});

test('an exchange that goes on is no idle connection', async () => {
  const upstream = await startUpstream(({ target }) => (target === '/' ? undefined : OK));
  const stand = await startStand({ timeouts: { clientIdleMs: 100, headMs: 100, bodyIdleMs: 100 } }, upstream);
  const client = await send(stand.engine.port, GET);
  const idle = await send(stand.engine.port, head('GET /idle HTTP/1.1', 'Host: a'));
  await upstream.when(({ requests }) => requests.length === 2);
  await idle.when(({ hasEnded }) => hasEnded);
  expect(client.hasEnded).toBe(false);
  upstream.connections.find(({ received }) => received.startsWith('GET / '))?.write(OK);
  expect(await client.statuses()).toEqual([200]);
});

/** It may have left, or it may listen: both are right, half a response is not. */
test.each([
  ['a GET', GET],
  ['an upload', `${POST}hello`],
  ['chunks', `${CHUNKED}5\r\nhello\r\n0\r\n\r\n`],
  ['two requests', GET + GET],
])('a client that ended its half behind its request gets a whole response or is closed: %s', async (_, bytes) => {
  const upstream = await startUpstream(({ target }, connection) => {
    if (target === '/sentinel') return OK;
    // Time for the end to be noticed.
    setTimeout(() => connection.write(OK), 20);
    return undefined;
  });
  const stand = await startStand({}, upstream);
  const client = await send(stand.engine.port, bytes);
  client.end();
  await client.when(({ isClosed }) => isClosed);
  const { responses, rest } = client.read();
  expect(rest).toBe('');
  expect(responses.filter(({ status }) => status !== 200)).toEqual([]);
  await expectServes(stand);
});

test.each([
  'GET / HT',
  GET.slice(0, -2),
  POST,
  `${POST}he`,
  CHUNKED,
  `${CHUNKED}5\r\nhe`,
  `${CHUNKED}5\r\nhello\r\n0\r\n`,
])('a client that ended its half in the middle of a request is released: %j', async (bytes) => {
  const stand = await startStand();
  const client = await send(stand.engine.port, bytes);
  client.end();
  await client.when(({ isClosed }) => isClosed);
  expect(client.received).toMatch(/^$|^HTTP\/1\.1 400 /);
  await stand.upstream.when(({ connections }) => connections.every(({ isClosed }) => isClosed));
  await expectServes(stand);
  expect(stand.upstream.targets).toEqual(['/sentinel']);
});

test('an upstream that ends its half behind its response takes nothing with it', async () => {
  const upstream = await startUpstream(({ target }, { socket }) => (target === '/' ? void socket.end(OK) : OK));
  const stand = await startStand({}, upstream);
  const client = await send(stand.engine.port, GET + head('GET /2 HTTP/1.1', 'Host: a'));
  expect(await client.statuses(2)).toEqual([200, 200]);
  await expectServes(stand);
});
