import { stopAll } from '../../support/world';
import type { Field } from './support/messages';
import { head, startStand } from './support/rejections';
import { connect, findField, send } from './support/raw-client';
import { listValues } from './support/messages';
import type { RawRequest } from './support/raw-upstream';

afterEach(stopAll);

/** What the upstream reads of a request that must pass. */
async function passed(bytes: string, method = 'GET'): Promise<RawRequest> {
  const { engine, upstream } = await startStand();
  const client = await send(engine.port, bytes, [method]);
  expect(await client.statuses()).toEqual([200]);
  expect(upstream.requests).toHaveLength(1);
  return upstream.requests[0]!;
}

const framing = ({ fields }: RawRequest) =>
  fields.filter(([name]) => /^(content-length|transfer-encoding)$/.test(name));

test.each<[name: string, bytes: string, expected: { method?: string; target: string; host?: string }]>([
  ['origin form', head('GET /a/b?c=d&e HTTP/1.1', 'Host: a'), { target: '/a/b?c=d&e' }],
  ['encoded bytes stay encoded', head('GET /%00%0d%0a%2f..%2F HTTP/1.1', 'Host: a'), { target: '/%00%0d%0a%2f..%2F' }],
  ['dots and slashes stay', head('GET //a/../b/./c HTTP/1.1', 'Host: a'), { target: '//a/../b/./c' }],
  ['absolute form', head('GET http://a/b?c HTTP/1.1', 'Host: a'), { target: '/b?c' }],
  ['absolute form with a port', head('GET http://a:81/b HTTP/1.1', 'Host: a:81'), { target: '/b', host: 'a:81' }],
  ['absolute form without a path', head('GET http://a HTTP/1.1', 'Host: a'), { target: '/' }],
  ['absolute form with a query alone', head('GET http://a?b HTTP/1.1', 'Host: a'), { target: '/?b' }],
  ['absolute form in HTTP/1.0, without Host', head('GET http://a/b HTTP/1.0'), { target: '/b' }],
  ['OPTIONS *', head('OPTIONS * HTTP/1.1', 'Host: a'), { method: 'OPTIONS', target: '*' }],
  ['OPTIONS of a path', head('OPTIONS /a HTTP/1.1', 'Host: a'), { method: 'OPTIONS', target: '/a' }],
  ['a method that no one knows', head('BREW /pot HTTP/1.1', 'Host: a'), { method: 'BREW', target: '/pot' }],
  ['HTTP/1.2 is served as 1.1', head('GET / HTTP/1.2', 'Host: a'), { target: '/' }],
  ['HTTP/1.0', head('GET / HTTP/1.0', 'Host: a'), { target: '/' }],
  ['an empty line before it', `\r\n${head('GET / HTTP/1.1', 'Host: a')}`, { target: '/' }],
  ['two empty lines before it', `\r\n\r\n${head('GET / HTTP/1.1', 'Host: a')}`, { target: '/' }],
  ['a host with a port', head('GET / HTTP/1.1', 'Host: a:8080'), { target: '/', host: 'a:8080' }],
  ['IPv6 with a port', head('GET / HTTP/1.1', 'Host: [::1]:8080'), { target: '/', host: '[::1]:8080' }],
  ['a host with an underscore', head('GET / HTTP/1.1', 'Host: a_b.example'), { target: '/', host: 'a_b.example' }],
  ['no space behind the colon', head('GET / HTTP/1.1', 'Host:a'), { target: '/' }],
  ['much space around a value', head('GET / HTTP/1.1', 'Host: \t a \t '), { target: '/' }],
  ['names in any letters', head('GET / HTTP/1.1', 'hOsT: a'), { target: '/' }],
])('%s', async (_, bytes, { method = 'GET', target, host = 'a' }) => {
  const request = await passed(bytes, method);
  expect(request).toMatchObject({ method, target, version: 'HTTP/1.1', body: '' });
  expect(listValues(request.fields, 'host')).toEqual([host]);
});

test.each<[name: string, value: string]>([
  ['TAB within', 'a\tb'],
  ['bytes over 127', 'caf\xc3\xa9 \xff\x80'],
  ['nothing', ''],
  ['separators', '()<>@,;:\\"/[]?={}'],
])('a value passes as it is: %s', async (_, value) => {
  const { fields } = await passed(head('GET / HTTP/1.1', 'Host: a', `X: ${value}`));
  expect(listValues(fields, 'x')).toEqual([value]);
});

test('several lines of one name stay several, in their order', async () => {
  const { fields } = await passed(head('GET / HTTP/1.1', 'X: 1', 'Host: a', 'Y: 2', 'x: 3', 'X: 1'));
  expect(listValues(fields, 'x')).toEqual(['1', '3', '1']);
});

test('HTTP/1.0 without Host: the upstream’s HTTP/1.1 has one', async () => {
  const { fields } = await passed(head('GET / HTTP/1.0'));
  expect(listValues(fields, 'host')).toHaveLength(1);
});

const LENGTH: readonly Field[] = [['content-length', '5']];
const CHUNKED: readonly Field[] = [['transfer-encoding', 'chunked']];

test.each<[name: string, bytes: string, framed: readonly Field[]]>([
  ['GET with a length', `${head('GET / HTTP/1.1', 'Host: a', 'Content-Length: 5')}hello`, LENGTH],
  ['POST with a length', `${head('POST / HTTP/1.1', 'Host: a', 'content-length:5')}hello`, LENGTH],
  ['a length in HTTP/1.0', `${head('POST / HTTP/1.0', 'Host: a', 'Content-Length: 5')}hello`, LENGTH],
  [
    'a length that Connection names',
    `${head('POST / HTTP/1.1', 'Host: a', 'Connection: content-length', 'Content-Length: 5')}hello`,
    LENGTH,
  ],
  ['chunked', `${chunked()}5\r\nhello\r\n0\r\n\r\n`, CHUNKED],
  ['CHUNKED', `${head('POST / HTTP/1.1', 'Host: a', 'Transfer-Encoding: \tCHUNKED ')}5\r\nhello\r\n0\r\n\r\n`, CHUNKED],
  ['chunked that Connection names', `${chunked('Connection: transfer-encoding')}5\r\nhello\r\n0\r\n\r\n`, CHUNKED],
  [
    'chunked on a GET',
    `${head('GET / HTTP/1.1', 'Host: a', 'Transfer-Encoding: chunked')}5\r\nhello\r\n0\r\n\r\n`,
    CHUNKED,
  ],
  ['chunks of many sizes', `${chunked()}1\r\nh\r\n03\r\nell\r\n1\r\no\r\n000\r\n\r\n`, CHUNKED],
  ['a chunk extension', `${chunked()}5;a=b\r\nhello\r\n0\r\n\r\n`, CHUNKED],
  ['a quoted chunk extension', `${chunked()}5;a="q; 6"\r\nhello\r\n0\r\n\r\n`, CHUNKED],
  ['an extension without a value', `${chunked()}5;a\r\nhello\r\n0\r\n\r\n`, CHUNKED],
  ['an extension of the last chunk', `${chunked()}5\r\nhello\r\n0;a=b\r\n\r\n`, CHUNKED],
])('a body is framed anew: %s', async (_, bytes, framed) => {
  const request = await passed(bytes);
  expect(request.body).toBe('hello');
  expect(framing(request)).toEqual(framed);
});

test('a chunked body of sizes in capitals', async () => {
  const { body } = await passed(`${chunked()}A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n`);
  expect(body).toBe('0123456789'.repeat(2));
});

test('an empty chunked body is one', async () => {
  const request = await passed(`${chunked()}0\r\n\r\n`);
  expect(request.body).toBe('');
});

test('a request may come byte by byte', async () => {
  const { engine, upstream } = await startStand();
  const client = await connect(engine.port);
  for (const byte of `\r\n${chunked('X: a')}5;a="b"\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n`) {
    client.send(byte);
    await new Promise(setImmediate);
  }
  expect(await client.statuses()).toEqual([200]);
  expect(upstream.requests[0]).toMatchObject({ body: 'hello', trailers: [['x-sum', '1']] });
});

test.each<[name: string, fields: string[], connection: RegExp | undefined, isClosed: boolean]>([
  ['HTTP/1.0 is closed', ['GET / HTTP/1.0', 'Host: a'], undefined, true],
  [
    'HTTP/1.0 is kept alive when it asks',
    ['GET / HTTP/1.0', 'Host: a', 'Connection: keep-alive'],
    /^keep-alive$/i,
    false,
  ],
  ['HTTP/1.1 is kept alive', ['GET / HTTP/1.1', 'Host: a'], undefined, false],
  ['HTTP/1.1 is closed when it asks', ['GET / HTTP/1.1', 'Host: a', 'Connection: close'], /^close$/i, true],
  [
    'close counts in any letters, among others',
    ['GET / HTTP/1.1', 'Host: a', 'Connection: x, CLOSE'],
    /^close$/i,
    true,
  ],
])('%s', async (_, lines, connection, isClosed) => {
  const { engine } = await startStand();
  const client = await send(engine.port, head(...lines));
  const [response] = await client.responds();
  expect(response?.startLine).toBe('HTTP/1.1 200 OK');
  if (connection) expect(findField(response, 'connection')).toMatch(connection);
  expect(await client.closes()).toBe(isClosed);
});

function chunked(...fields: string[]): string {
  return head('POST / HTTP/1.1', 'Host: a', 'Transfer-Encoding: chunked', ...fields);
}
