import net from 'node:net';
import { later, findPort, startRawBackend, stopAll } from '../../support/world';
import { Stand, expectServes, head, startStand } from './support/rejections';
import { send } from './support/raw-client';
import { OK, UpstreamConnection, startUpstream } from './support/raw-upstream';

afterEach(stopAll);

const GET = head('GET /lie HTTP/1.1', 'Host: a');
const respond = (...lines: string[]) => `${head('HTTP/1.1 200 OK', ...lines)}hello`;
const status = (line: string) => `${head(line, 'Content-Length: 5')}hello`;

/** An upstream that responds to `/lie` with these bytes, and everything else honestly. */
async function startLiar(
  lie: string,
  then: (connection: UpstreamConnection) => void = () => undefined,
): Promise<Stand> {
  const upstream = await startUpstream(({ target }, connection) => {
    if (target !== '/lie') return OK;
    connection.write(lie);
    then(connection);
    return undefined;
  });
  return startStand({ limits: { fieldBytes: 4_000, fieldLines: 100 } }, upstream);
}

/** The client gets a 502 and nothing of the lie, and the connection that brought it is closed. */
async function expect502(stand: Stand, request = GET): Promise<void> {
  const client = await send(stand.engine.port, request);
  expect(await client.statuses()).toEqual([502]);
  expect(client.read().rest).toBe('');
  expect(client.received).not.toContain('hello');
  await stand.upstream.when(({ connections }) => connections[0]?.isClosed ?? false);
  await expectServes(stand);
  expect(stand.upstream.targets).toEqual(['/lie', '/sentinel']);
  expect(stand.upstream.requests[1]?.connection).toBe(1);
}

test.each([
  ['no HTTP', 'hello\r\n\r\n'],
  ['another protocol', status('ICY 200 OK')],
  ['lowercase', status('http/1.1 200 OK')],
  ['HTTP/0.9', status('HTTP/0.9 200 OK')],
  ['HTTP/1.10', status('HTTP/1.10 200 OK')],
  ['a space before it', status(' HTTP/1.1 200 OK')],
  ['no status', status('HTTP/1.1')],
  ['letters', status('HTTP/1.1 abc OK')],
  ['two digits', status('HTTP/1.1 20 OK')],
  ['four digits', status('HTTP/1.1 2000 OK')],
  ['a status of 0', status('HTTP/1.1 000 OK')],
  ['a status of 99', status('HTTP/1.1 099 OK')],
  ['a sign', status('HTTP/1.1 +20 OK')],
  ['a letter behind the status', status('HTTP/1.1 200x OK')],
  ['a NUL in the reason', status('HTTP/1.1 200 O\0K')],
  ['a bare CR in the reason', status('HTTP/1.1 200 O\rX: 1')],
])('502 for a status line with %s', async (_, lie) => expect502(await startLiar(lie)));

test.each([
  ['a fold before any field', respond(' X: a', 'Content-Length: 5')],
  ['a line end of CR CR LF', 'HTTP/1.1 200 OK\r\r\nContent-Length: 5\r\n\r\nhello'],
  ['nine empty lines before it', `${'\r\n'.repeat(9)}${respond('Content-Length: 5')}`],
  ['a bare CR in a value', respond('X: a\rb', 'Content-Length: 5')],
  ['a NUL in a value', respond('X: a\0b', 'Content-Length: 5')],
  ['a space in a name', respond('X Y: a', 'Content-Length: 5')],
  ['a control byte in a name', respond('X\x01: a', 'Content-Length: 5')],
  ['an empty name', respond(': a', 'Content-Length: 5')],
  ['a line without a colon', respond('X', 'Content-Length: 5')],
  ['more bytes than a head may have', respond(`X: ${'a'.repeat(5_000)}`, 'Content-Length: 5')],
  ['a head that never ends', `HTTP/1.1 200 OK\r\nX: ${'a'.repeat(500_000)}`],
  ['a head that never ends, in lines', `HTTP/1.1 200 OK\r\n${'X: a\r\n'.repeat(50_000)}`],
  ['a status line that never ends', `HTTP/1.1 200 ${'a'.repeat(500_000)}`],
])('502 for a head with %s', async (_, lie) => expect502(await startLiar(lie)));

test.each([
  ['two lengths', respond('Content-Length: 5', 'Content-Length: 6')],
  ['two lengths in one line', respond('Content-Length: 5, 6')],
  ['an equal and a malformed length', respond('Content-Length: 5', 'Content-Length: +5')],
  ['a length with a sign', respond('Content-Length: +5')],
  ['a negative length', respond('Content-Length: -5')],
  ['a length in hex', respond('Content-Length: 0x5')],
  ['a length with a letter', respond('Content-Length: 5b')],
  ['a length of two words', respond('Content-Length: 5 5')],
  ['an empty length', respond('Content-Length:')],
  ['a length over 2^53', respond('Content-Length: 9007199254740993')],
  ['an unknown coding', respond('Transfer-Encoding: tea')],
  ['gzip as its coding', respond('Transfer-Encoding: gzip')],
  ['gzip before chunked', `${head('HTTP/1.1 200 OK', 'Transfer-Encoding: gzip, chunked')}5\r\nhello\r\n0\r\n\r\n`],
  ['chunked before gzip', `${head('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked, gzip')}5\r\nhello\r\n0\r\n\r\n`],
  ['chunked twice', `${head('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked, chunked')}5\r\nhello\r\n0\r\n\r\n`],
])('502 for a response with %s', async (_, lie) => expect502(await startLiar(lie)));

const first = (chunk: string) => `${head('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked')}${chunk}`;

test.each([
  ['no size', first('hello')],
  ['an empty size', first('\r\nhello\r\n0\r\n\r\n')],
  ['a space before its size', first(' 5\r\nhello\r\n0\r\n\r\n')],
  ['a size with 0x', first('0x5\r\nhello\r\n0\r\n\r\n')],
  ['a size over 2^53', first('20000000000001\r\nhello')],
  ['a size of two words', first('5 5\r\nhello\r\n0\r\n\r\n')],
  ['a bare CR in its extension', first('5;a\rb\r\nhello\r\n0\r\n\r\n')],
  ['no line end behind its data', first('5\r\nhello0\r\n\r\n')],
  ['a second one that is malformed', first('5\r\nhello\r\n5x\r\nhello\r\n0\r\n\r\n')],
])('502 for a first chunk that comes with its head and has %s', async (_, lie) => expect502(await startLiar(lie)));

test.each([
  ['hello\r\n\r\n', 'a malformed status line'],
  [respond('X Y: a', 'Content-Length: 5'), 'a malformed field line'],
  [respond(`X: ${'a'.repeat(5_000)}`, 'Content-Length: 5'), 'a head over the limits'],
  [respond('Content-Length: 5', 'Content-Length: 6'), 'several lengths that differ'],
  [respond('Content-Length: +5'), 'a malformed Content-Length'],
  [respond('Transfer-Encoding: gzip'), 'a transfer coding other than chunked'],
  [first('hello'), 'a malformed chunk'],
  [head('HTTP/1.1 102 Processing').repeat(33), 'too many interim responses'],
  [head('HTTP/1.1 101 S', 'Upgrade: x'), "a 101 without 'Connection: upgrade'"],
  [head('HTTP/1.1 101 S', 'Upgrade: x', 'Connection: upgrade'), 'a switch of protocols that was not asked for'],
])('why is reported: %#', async (lie, why) => {
  const stand = await startLiar(lie);
  const client = await send(stand.engine.port, GET);
  expect(await client.statuses()).toEqual([502]);
  expect(stand.engine.outcomes[0]).toMatchObject({ failure: 'malformed', cause: { why } });
  expect(client.received).not.toContain(why);
});

const PARTS = [
  '',
  'H',
  'HTTP/1.1',
  'HTTP/1.1 200 OK',
  'HTTP/1.1 200 OK\r\nContent-Le',
  'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n',
];

test.each(PARTS)('502 for a response that ends in its head, behind %j', async (part) => {
  await expect502(await startLiar(part, ({ socket }) => socket.end()));
});

test.each(PARTS)('502 for a response that is reset in its head, behind %j', async (part) => {
  await expect502(await startLiar(part, ({ socket }) => void setImmediate(() => socket.resetAndDestroy())));
});

test('502 for a response that ends behind an interim one', async () => {
  const stand = await startLiar(head('HTTP/1.1 102 Processing'), ({ socket }) => socket.end());
  await expect502(stand);
});

test.each([201, 226, 299, 451, 599, 600, 999])(
  'an unusual status is none of the proxy’s business: %i',
  async (code) => {
    const stand = await startLiar(status(`HTTP/1.1 ${code} x`));
    const client = await send(stand.engine.port, GET);
    const [got] = await client.responds();
    expect(got).toMatchObject({ status: code, body: 'hello' });
  },
);

test('502 for an upstream that is not there', async () => {
  const gone = net.createServer();
  await new Promise<void>((resolve) => gone.listen(0, '127.0.0.1', resolve));
  const port = findPort(gone);
  await new Promise((resolve) => gone.close(resolve));
  const upstream = await startUpstream();
  upstream.port = port;
  const { engine, faults } = await startStand({}, upstream);
  const client = await send(engine.port, GET);
  expect((await client.responds())[0]).toMatchObject({ status: 502, body: 'connectRefused' });
  expect(faults).toEqual([]);
});

test.each([
  ['an upstream that says nothing', () => undefined],
  ['an upstream that stops in its head', ({ socket }: UpstreamConnection) => void socket.write('HTTP/1.1 200 OK\r\nX')],
])('504 for %s', async (_, say) => {
  const upstream = await startUpstream(({ target }, connection) => (target === '/lie' ? void say(connection) : OK));
  const stand = await startStand({ timeouts: { upstreamIdleMs: 100 } }, upstream);
  const client = await send(stand.engine.port, GET);
  expect((await client.responds())[0]).toMatchObject({ status: 504, body: 'idleTimeout' });
  await upstream.when(({ connections }) => connections[0]?.isClosed ?? false);
  await expectServes(stand);
});

test('an upstream that closes as it accepts is a 502 for each request, and no more', async () => {
  const sockets: net.Socket[] = [];
  const port = await startRawBackend((socket) => {
    sockets.push(socket);
    socket.destroy();
  });
  later(() => void sockets.splice(0));
  const upstream = await startUpstream();
  upstream.port = port;
  const { engine } = await startStand({}, upstream);
  for (let count = 0; count < 3; count += 1) {
    const client = await send(engine.port, GET);
    expect(await client.statuses()).toEqual([502]);
  }
});
