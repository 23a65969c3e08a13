import type { Deviation } from '../../../../proxy/data-plane/contract/deviations';
import { ask, connect } from '../http2/support/sessions';
import { startTestProxy } from '../../support/proxy-world';
import { get, startRawBackend, stopAll, until } from '../../support/world';
import { listValues } from './support/messages';
import { Stand, expectServes, head, startStand } from './support/rejections';
import { findField, send } from './support/raw-client';
import { OK, startUpstream } from './support/raw-upstream';

afterEach(stopAll);

/** Each is served by nginx and HAProxy, or has its one reading in RFC 9112, and was a 502 or a reset here. */

const sized = (...lines: string[]) => `${head('HTTP/1.1 200 OK', ...lines)}hello`;
const chunked = (body: string, ...lines: string[]) =>
  `${head('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked', ...lines)}${body}`;
const HELLO = '5\r\nhello\r\n0\r\n\r\n';
const LENGTH = 'Content-Length: 5';

const CASES: [name: string, deviation: Deviation, bytes: string][] = [
  ['one length in two lines', 'equalLengths', sized(LENGTH, LENGTH)],
  ['one length twice in a line', 'equalLengths', sized('Content-Length: 5, 5')],
  ['one length, written in two ways', 'equalLengths', sized(LENGTH, 'Content-Length: 05', LENGTH)],
  ['a wrong length beside chunked', 'lengthAndChunked', chunked(HELLO, 'Content-Length: 99')],
  [
    'a length before chunked',
    'lengthAndChunked',
    `${head('HTTP/1.1 200 OK', LENGTH, 'Transfer-Encoding: chunked')}${HELLO}`,
  ],
  ['lengths that differ beside chunked', 'lengthAndChunked', chunked(HELLO, 'Content-Length: 1', 'Content-Length: 2')],
  ['HTTP/1.0 with chunks', 'chunkedInHttp10', `${head('HTTP/1.0 200 OK', 'Transfer-Encoding: chunked')}${HELLO}`],
  [
    'HTTP/1.0 with chunks, kept',
    'chunkedInHttp10',
    `${head('HTTP/1.0 200 OK', 'Connection: keep-alive', 'Transfer-Encoding: chunked')}${HELLO}`,
  ],
  ['identity as its coding', 'noCoding', sized('Transfer-Encoding: identity', LENGTH)],
  ['an empty coding', 'noCoding', sized('Transfer-Encoding:', LENGTH)],
  ['LF throughout', 'bareLineFeed', sized(LENGTH).replaceAll('\r\n', '\n')],
  ['LF behind the status line', 'bareLineFeed', `HTTP/1.1 200 OK\n${LENGTH}\r\n\r\nhello`],
  ['LF behind a field', 'bareLineFeed', `HTTP/1.1 200 OK\r\nX: 1\n${LENGTH}\r\n\r\nhello`],
  ['LF as the empty line', 'bareLineFeed', `HTTP/1.1 200 OK\r\n${LENGTH}\r\n\nhello`],
  ['LF throughout, with chunks', 'bareLineFeed', chunked(HELLO).replaceAll('\r\n', '\n')],
  ['LF behind a size', 'bareLineFeed', chunked('5\nhello\r\n0\r\n\r\n')],
  ['LF behind the data', 'bareLineFeed', chunked('5\r\nhello\n0\r\n\r\n')],
  ['LF behind the last size', 'bareLineFeed', chunked('5\r\nhello\r\n0\n\r\n')],
  ['LF as the last line', 'bareLineFeed', chunked('5\r\nhello\r\n0\r\n\n')],
  ['LF behind a trailer', 'bareLineFeed', chunked('5\r\nhello\r\n0\r\nX-Sum: 1\n\r\n')],
  ['spaces behind a size', 'chunkSize', chunked('5     \r\nhello\r\n0     \r\n\r\n')],
  ['TABs behind a size', 'chunkSize', chunked('5\t\t\r\nhello\r\n0\r\n\r\n')],
  ['zeros before a size', 'chunkSize', chunked(`${'0'.repeat(40)}5\r\nhello\r\n0\r\n\r\n`)],
  ['an extension that is none', 'chunkExtension', chunked('5;;;=\r\nhello\r\n0\r\n\r\n')],
  ['an extension with a control byte', 'chunkExtension', chunked('5;a\x01\r\nhello\r\n0\r\n\r\n')],
  ['an extension with a quote that does not end', 'chunkExtension', chunked('5;a="b\r\nhello\r\n0\r\n\r\n')],
  ['a control byte in a value', 'controlBytes', sized('X: a\x01b', LENGTH)],
  ['a DEL in a value', 'controlBytes', sized('X: a\x7fb', LENGTH)],
  ['a control byte in the reason', 'controlBytes', `${head('HTTP/1.1 200 O\x01K', LENGTH)}hello`],
  ['a trailer that frames', 'trailers', chunked('5\r\nhello\r\n0\r\nContent-Length: 9\r\n\r\n')],
  ['a trailer that routes', 'trailers', chunked('5\r\nhello\r\n0\r\nHost: b\r\nX-Sum: 1\r\n\r\n')],
  ['a trailer that is no field', 'trailers', chunked('5\r\nhello\r\n0\r\nX Y: 1\r\n\r\n')],
  ['a trailer with a NUL', 'trailers', chunked('5\r\nhello\r\n0\r\nX: \0\r\n\r\n')],
  ['trailers over the limits', 'trailers', chunked(`5\r\nhello\r\n0\r\nX: ${'a'.repeat(100_000)}\r\n\r\n`)],
  ['an empty line before it', 'emptyLinesBefore', `\r\n${sized(LENGTH)}`],
  ['two empty lines before it', 'emptyLinesBefore', `\r\n\r\n${sized(LENGTH)}`],
  ['an LF before it', 'emptyLinesBefore', `\n${sized(LENGTH)}`],
  ['a fold', 'foldedLine', sized('X: a', '  b', LENGTH)],
  ['a folded length', 'foldedLine', sized('Content-Length:', '\t5')],
  ['a space before a colon', 'spaceBeforeColon', sized('X \t: a', LENGTH)],
  ['a space before the colon of a length', 'spaceBeforeColon', sized('Content-Length : 5')],
  ['spaces in its status line', 'statusLine', `${head('HTTP/1.1  200  OK', LENGTH)}hello`],
  ['TABs in its status line', 'statusLine', `${head('HTTP/1.1\t200\tOK', LENGTH)}hello`],
  ['HTTP/2.0 in its status line', 'statusLine', `${head('HTTP/2.0 200 OK', LENGTH)}hello`],
];

interface Deviating extends Stand {
  readonly deviations: Deviation[];
}

/** An upstream that responds to `/odd` with these bytes, in one read or one byte after the other. */
async function startDeviating(bytes: string, isSlow = false): Promise<Deviating> {
  const deviations: Deviation[] = [];
  const upstream = await startUpstream(({ target }, connection) => {
    if (target !== '/odd') return OK;
    if (!isSlow) return bytes;
    connection.socket.setNoDelay(true);
    void (async () => {
      for (const byte of bytes) {
        connection.write(byte);
        await new Promise(setImmediate);
      }
    })();
    return undefined;
  });
  const stand = await startStand({ deviated: (what) => void deviations.push(what) }, upstream);
  return { ...stand, deviations };
}

async function expectAccepted(deviation: Deviation, stand: Deviating): Promise<void> {
  const request = head('GET /odd HTTP/1.1', 'Host: a', 'TE: trailers', 'Connection: TE');
  const client = await send(stand.engine.port, request + head('GET /next HTTP/1.1', 'Host: a'));
  const [response, next] = await client.responds(2);
  expect(response).toMatchObject({ status: 200, body: 'hello' });
  expect(next).toMatchObject({ status: 200, body: 'ok' });
  // One framing, and trailers that may be there.
  expect(
    listValues(response!.fields, 'content-length').length + listValues(response!.fields, 'transfer-encoding').length,
  ).toBe(1);
  expect(response!.trailers.filter(([name]) => name !== 'x-sum')).toEqual([]);
  expect(stand.deviations).toContain(deviation);
  expect(new Set(stand.deviations).size).toBe(stand.deviations.length);
  await expectServes(stand);
  await stand.upstream.when(({ connections }) => connections[0]?.isClosed ?? false);
  expect(stand.upstream.requests.map(({ connection }) => connection)).toEqual([0, 1, 1]);
}

/** The strict reader of these tests takes no control bytes, so they are looked at in what came. */
const isReadable = ([name]: (typeof CASES)[number]) => !/in a value/.test(name);

test.each(CASES.filter(isReadable))('accepted, and its connection not used again: %s', async (_, deviation, bytes) => {
  await expectAccepted(deviation, await startDeviating(bytes));
});

test.each(CASES.filter((one) => isReadable(one) && one[2].length < 200))(
  'so it is byte by byte: %s',
  async (_, deviation, bytes) => {
    await expectAccepted(deviation, await startDeviating(bytes, true));
  },
);

test.each(['X: a\x01b', 'X: a\x7fb'])('control bytes of a value stay as they are: %j', async (line) => {
  const stand = await startDeviating(sized(line, LENGTH));
  const client = await send(stand.engine.port, head('GET /odd HTTP/1.1', 'Host: a', 'Connection: close'));
  await client.when(({ hasEnded }) => hasEnded);
  expect(client.received).toContain(`${line}\r\n`);
  expect(client.received).toMatch(/hello$/);
  expect(stand.deviations).toEqual(['controlBytes']);
});

test('and become spaces for a client of HTTP/2, which would take them for an error', async () => {
  const stand = await startDeviating(sized('X: a\x01b\x7fc', LENGTH));
  const got = ask(await connect(stand.engine.port), { ':path': '/odd' });
  await until(() => got.code !== undefined);
  expect([got.status, got.code, got.headers['x'], got.body]).toEqual([200, 0, 'a b c', 'hello']);
});

test('a fold becomes a space, and a space before a colon goes', async () => {
  const stand = await startDeviating(sized('X: a', ' \t b', 'Y : c', LENGTH));
  const client = await send(stand.engine.port, head('GET /odd HTTP/1.1', 'Host: a'));
  const [response] = await client.responds();
  expect([findField(response, 'x'), findField(response, 'y')]).toEqual(['a b', 'c']);
});

test('the lines of a response are limited by their bytes alone', async () => {
  const lines = Array.from({ length: 1_000 }, (_, index) => `X-${index}: a`);
  const stand = await startDeviating(sized(...lines, LENGTH));
  const client = await send(stand.engine.port, head('GET /odd HTTP/1.1', 'Host: a'));
  const [response] = await client.responds();
  expect(response).toMatchObject({ status: 200, body: 'hello' });
  expect(response!.fields.filter(([name]) => name.startsWith('x-'))).toHaveLength(1_000);
  expect(stand.deviations).toEqual([]);
  await expectServes(stand);
  expect(stand.upstream.requests.map(({ connection }) => connection)).toEqual([0, 0]);
});

test('a HEAD of such an upstream, too', async () => {
  const stand = await startDeviating(head('HTTP/1.1 200 OK', LENGTH, LENGTH));
  const client = await send(stand.engine.port, head('HEAD /odd HTTP/1.1', 'Host: a'), ['HEAD']);
  const [response] = await client.responds();
  expect(findField(response, 'content-length')).toBe('5');
  expect(stand.deviations).toEqual(['equalLengths']);
});

test('the proxy counts them, and logs the first of a second with its reason', async () => {
  const port = await startRawBackend((socket) => socket.on('data', () => socket.write(sized(LENGTH, LENGTH))));
  const proxy = await startTestProxy(port);
  const startedMs = performance.now();
  for (let count = 0; count < 3; count += 1) expect((await get({ port: proxy.data.port })).body).toBe('hello');
  expect(await proxy.metrics.metrics()).toMatch(
    /drainshift_upstream_deviations_total\{side="source",deviation="equalLengths"\} 3/,
  );
  await proxy.close();
  const said = proxy.lines.filter(({ msg }) => /deviate/.test(msg));
  expect(said[0]).toMatchObject({
    level: 40,
    deviation: 'equalLengths',
    why: 'one Content-Length several times',
    upstream: `127.0.0.1:${port}`,
  });
  const seconds = (performance.now() - startedMs) / 1000;
  expect(said.length).toBeLessThanOrEqual(2 + Math.floor(seconds));
});
