import { stopAll } from '../../support/world';
import { expectServes, head, startStand } from './support/rejections';
import { RawClient, send } from './support/raw-client';
import { OK, UpstreamConnection, startUpstream } from './support/raw-upstream';

afterEach(stopAll);

const LENGTH = head('HTTP/1.1 200 OK', 'Content-Length: 10');
const CHUNKED = head('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked');
const CLOSE = head('HTTP/1.1 200 OK', 'X: 1');
const OLD = head('HTTP/1.0 200 OK', 'X: 1');

type Cut = 'FIN' | 'RST' | 'none';

const CUTS: Readonly<Record<Cut, (connection: UpstreamConnection) => void>> = {
  FIN: ({ socket }) => socket.end(),
  RST: ({ socket }) => void socket.resetAndDestroy(),
  none: () => undefined,
};

/** A client of a response that begins as it should and then goes on with `rest`, and is cut. */
async function cutClient(started: string, rest: string, cut: Cut, version = '1.1') {
  const upstream = await startUpstream(({ target }, connection) =>
    target === '/cut' ? void connection.write(started) : OK,
  );
  const stand = await startStand({}, upstream);
  const client = await send(stand.engine.port, head(`GET /cut HTTP/${version}`, 'Host: a', 'Connection: keep-alive'));
  // The response has begun: no other can take its place.
  await client.when(({ received, hasEnded }) => received.includes('hel') || hasEnded);
  const [connection] = upstream.connections;
  connection?.write(rest);
  if (rest !== '') await new Promise(setImmediate);
  CUTS[cut](connection!);
  await client.when(({ hasEnded }) => hasEnded);
  await upstream.when(({ connections }) => connections[0]?.isClosed ?? false);
  await expectServes(stand);
  return client;
}

function expectReset(client: RawClient): void {
  expect(client.received).toMatch(/^HTTP\/1\.1 200 /);
  expect(client.received).not.toMatch(/0\r\n\r\n$/);
  expect({ wasReset: client.wasReset, whole: client.read().responses.length }).toEqual({ wasReset: true, whole: 0 });
}

const CASES: [name: string, begun: string, rest: string, cut: Cut][] = [
  ['fewer bytes than its length, FIN', `${LENGTH}hel`, 'lo', 'FIN'],
  ['fewer bytes than its length, RST', `${LENGTH}hel`, '', 'RST'],
  ['no last chunk, FIN', `${CHUNKED}3\r\nhel\r\n`, '2\r\nlo\r\n', 'FIN'],
  ['no last chunk, RST', `${CHUNKED}3\r\nhel\r\n`, '', 'RST'],
  ['half a chunk, FIN', `${CHUNKED}3\r\nhel\r\n`, '9\r\nlo', 'FIN'],
  ['half a chunk, RST', `${CHUNKED}3\r\nhel\r\n`, '9\r\nlo', 'RST'],
  ['half a size, FIN', `${CHUNKED}3\r\nhel\r\n`, '1', 'FIN'],
  ['a last size without its line end, FIN', `${CHUNKED}3\r\nhel\r\n`, '0', 'FIN'],
  ['a last chunk without its empty line, FIN', `${CHUNKED}3\r\nhel\r\n`, '0\r\n', 'FIN'],
  ['half a line end at its end, FIN', `${CHUNKED}3\r\nhel\r\n`, '0\r\n\r', 'FIN'],
  ['half a trailer, FIN', `${CHUNKED}3\r\nhel\r\n`, '0\r\nX-Sum: 1', 'FIN'],
  ['trailers without an end, FIN', `${CHUNKED}3\r\nhel\r\n`, '0\r\nX-Sum: 1\r\n', 'FIN'],
  ['a body up to the close, RST', `${CLOSE}hel`, '', 'RST'],
  ['HTTP/1.0 up to the close, RST', `${OLD}hel`, '', 'RST'],
  ['a bad chunk size', `${CHUNKED}3\r\nhel\r\n`, 'xyz\r\nlo\r\n', 'none'],
  ['a chunk size with 0x', `${CHUNKED}3\r\nhel\r\n`, '0x2\r\nlo\r\n0\r\n\r\n', 'none'],
  ['a chunk size over 2^53', `${CHUNKED}3\r\nhel\r\n`, '20000000000001\r\nlo', 'none'],
  ['an empty chunk size', `${CHUNKED}3\r\nhel\r\n`, '\r\nlo\r\n', 'none'],
  ['no CRLF behind a chunk', `${CHUNKED}3\r\nhel`, 'lo\r\n0\r\n\r\n', 'none'],
  ['a chunk extension without an end', `${CHUNKED}3\r\nhel\r\n`, `2;a=${'b'.repeat(300_000)}`, 'none'],
  ['a bare CR in a chunk extension', `${CHUNKED}3\r\nhel\r\n`, '2;a=\rb\r\nlo\r\n0\r\n\r\n', 'none'],
];

test.each(CASES)('HTTP/1.1 is reset and never ended as if whole: %s', async (_, started, rest, cut) => {
  expectReset(await cutClient(started, rest, cut));
});

test.each(CASES)('HTTP/1.0 is reset and never ended as if whole: %s', async (_, started, rest, cut) => {
  expectReset(await cutClient(started, rest, cut, '1.0'));
});

test.each([
  ['HTTP/1.1', CLOSE],
  ['HTTP/1.0', OLD],
])('a body up to the close is whole where it ends in order: %s', async (_, started) => {
  const upstream = await startUpstream(({ target }, { socket }) =>
    target === '/cut' ? void socket.end(`${started}hello`) : OK,
  );
  const stand = await startStand({}, upstream);
  const client = await send(
    stand.engine.port,
    head('GET /cut HTTP/1.1', 'Host: a') + head('GET /next HTTP/1.1', 'Host: a'),
  );
  const responses = await client.responds(2);
  expect(responses).toMatchObject([
    { status: 200, body: 'hello' },
    { status: 200, body: 'ok' },
  ]);
  await expectServes(stand);
});

test('what is cut takes no pipelined response with it as its own body', async () => {
  const upstream = await startUpstream(({ target }, { socket }) =>
    target === '/cut' ? void socket.end(`${LENGTH}hel`) : OK,
  );
  const stand = await startStand({}, upstream);
  const client = await send(
    stand.engine.port,
    head('GET /cut HTTP/1.1', 'Host: a') + head('GET /next HTTP/1.1', 'Host: a'),
  );
  await client.when(({ hasEnded }) => hasEnded);
  expect(client.read().responses.filter(({ status }) => status === 200)).toEqual([]);
  expect(client.received.match(/HTTP\/1\.1 200/g)?.length ?? 0).toBeLessThanOrEqual(1);
  await expectServes(stand);
});

test('a stalled response is cut too', async () => {
  const upstream = await startUpstream(({ target }, connection) =>
    target === '/cut' ? void connection.write(`${LENGTH}hel`) : OK,
  );
  const stand = await startStand({ timeouts: { upstreamIdleMs: 100 } }, upstream);
  const client = await send(stand.engine.port, head('GET /cut HTTP/1.1', 'Host: a'));
  await client.when(({ hasEnded }) => hasEnded);
  expectReset(client);
  await expectServes(stand);
});

test.each(['Content-Length: 9', 'Transfer-Encoding: chunked', 'Set-Cookie: a=1', 'Connection: close'])(
  'a trailer of the upstream never says what only a head may say: %s',
  async (line) => {
    const upstream = await startUpstream(() => `${CHUNKED}5\r\nhello\r\n0\r\n${line}\r\nX-Sum: 1\r\n\r\n`);
    const { engine } = await startStand({}, upstream);
    const client = await send(engine.port, head('GET / HTTP/1.1', 'Host: a', 'TE: trailers', 'Connection: te'));
    const [response] = await client.responds();
    if (!response) return void expect(client.wasReset).toBe(true);
    expect(response.status === 200 ? response.trailers.map(([name]) => name) : ['x-sum']).toEqual(['x-sum']);
  },
);
