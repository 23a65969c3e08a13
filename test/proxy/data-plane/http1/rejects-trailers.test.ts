import { stopAll } from '../../support/world';
import { each, expectServes, expectUploadRejected, head, startStand } from './support/rejections';
import { send } from './support/raw-client';

afterEach(stopAll);

const POST = head('POST / HTTP/1.1', 'Host: a', 'Transfer-Encoding: chunked');
const withTrailer = (...lines: string[]) => `${POST}5\r\nhello\r\n0\r\n${head(...lines)}`;

/** RFC 9110 section 6.5.1: what frames, routes or authenticates must not come behind the content. */
test.each(
  each(400, {
    'Content-Length': withTrailer('Content-Length: 5'),
    'Transfer-Encoding': withTrailer('Transfer-Encoding: chunked'),
    Host: withTrailer('Host: b'),
    Authorization: withTrailer('Authorization: Basic a'),
    'Content-Length in capitals': withTrailer('CONTENT-LENGTH: 5'),
    'Content-Length behind a good one': withTrailer('X-Sum: 1', 'Content-Length: 5'),
  }),
)('the field: %s', (_, bytes, status) => expectUploadRejected(bytes, status));

test.each(
  each(400, {
    'a space before the colon': withTrailer('X : a'),
    'a space in the name': withTrailer('X Y: a'),
    'an empty name': withTrailer(': a'),
    'no colon': withTrailer('X'),
    'obs-fold': withTrailer('X: a', ' b'),
    'a fold at the start': withTrailer(' X: a'),
    'a bare LF': withTrailer('X: a\nY: b'),
    'a bare CR': withTrailer('X: a\rb'),
    'a NUL': withTrailer('X: a\0b'),
    'a control byte': withTrailer('X: a\x01b'),
    'a DEL': withTrailer('X: a\x7fb'),
    'a bare LF as the last line': `${POST}5\r\nhello\r\n0\r\nX: a\r\n\n`,
  }),
)('the line: %s', (_, bytes, status) => expectUploadRejected(bytes, status));

test.each([
  ['too many lines', withTrailer(...Array.from({ length: 50 }, (_, index) => `X-${index}: a`))],
  ['too many bytes', withTrailer(`X: ${'a'.repeat(4_000)}`)],
  ['no end', `${POST}5\r\nhello\r\n0\r\nX: ${'a'.repeat(4_000)}`],
])('more than a head may have: %s', (_, bytes) =>
  expectUploadRejected(bytes, [400, 431], { limits: { fieldLines: 20, fieldBytes: 2_000 } }),
);

/** A proxy may reject these or leave them out; what it must not do is to let them pass for what they would say in a head. */
test.each([
  ['connection', 'close'],
  ['te', 'trailers'],
  ['trailer', 'x'],
  ['upgrade', 'websocket'],
  ['proxy-authorization', 'Basic a'],
  ['cookie', 'session=1'],
  ['content-type', 'text/html'],
  ['content-encoding', 'gzip'],
  ['forwarded', 'for=192.0.2.1'],
  ['x-forwarded-for', '192.0.2.1'],
  ['x-amzn-trace-id', 'Root=1'],
])('never passed on: %s', async (name, value) => {
  const stand = await startStand();
  const client = await send(stand.engine.port, withTrailer(`${name}: ${value}`, 'X-Sum: 1'));
  const [status] = await client.statuses();
  expect([200, 400]).toContain(status);
  for (const { trailers } of stand.upstream.requests) expect(trailers).toEqual([['x-sum', '1']]);
  await expectServes(stand);
});

test('ordinary trailers pass', async () => {
  const { engine, upstream } = await startStand();
  const client = await send(engine.port, withTrailer('X-Sum: 1', 'x-sum: 2', 'Grpc-Status: 0'));
  expect(await client.statuses()).toEqual([200]);
  expect(upstream.requests[0]).toMatchObject({
    body: 'hello',
    trailers: [
      ['x-sum', '1'],
      ['x-sum', '2'],
      ['grpc-status', '0'],
    ],
  });
});
