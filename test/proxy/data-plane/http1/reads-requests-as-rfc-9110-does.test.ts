import { stopAll } from '../../support/world';
import { listValues } from './support/messages';
import { expectRejected, expectServes, head, startStand } from './support/rejections';
import { findField, send } from './support/raw-client';
import { OK, RawRequest, startUpstream } from './support/raw-upstream';

afterEach(stopAll);

/** What reached the upstream of a request. */
async function passed(bytes: string): Promise<RawRequest> {
  const stand = await startStand();
  const client = await send(stand.engine.port, bytes);
  expect(await client.statuses()).toEqual([200]);
  await expectServes(stand);
  return stand.upstream.requests[0]!;
}

test.each(['h:', 'h:80', '[::1]', '[::ffff:192.0.2.1]:8080', '%41b', 'a_b.c'])('a valid Host: %s', async (host) => {
  const { fields } = await passed(head('GET / HTTP/1.1', `Host: ${host}`));
  expect(listValues(fields, 'host')).toEqual([host]);
});

test.each(['[::::::]', '[1:2]', '[:]', '[1.2.3.4]', '[::1', 'h%zz', 'h%4', '%', 'h:x', 'h:65536', 'h::1'])(
  'no valid Host: %s',
  (host) => expectRejected(head('GET / HTTP/1.1', `Host: ${host}`), 400),
);

test.each([
  ['http://h:80/', 'h'],
  ['http://h/', 'h:80'],
  ['http://h:/', 'h'],
  ['HTTP://H/', 'h:'],
  ['https://h:443/', 'h'],
])('%s names the host of Host: %s', async (target, host) => {
  await passed(head(`GET ${target} HTTP/1.1`, `Host: ${host}`));
});

test.each([
  ['http://h:81/', 'h'],
  ['http://h:443/', 'h'],
  ['https://h:80/', 'h'],
  ['http://h/', 'g'],
])('%s does not name the host of Host: %s', (target, host) =>
  expectRejected(head(`GET ${target} HTTP/1.1`, `Host: ${host}`), 400),
);

test.each(['5 ;a=b', '5\t; a = "b;c" ;d', '5 \t ;a'])('spaces around a chunk’s extension: %j', async (size) => {
  const post = head('POST / HTTP/1.1', 'Host: a', 'Transfer-Encoding: chunked');
  expect((await passed(`${post}${size}\r\nhello\r\n0 ;x\r\n\r\n`)).body).toBe('hello');
});

test.each([
  ['an empty one', ['Expect:'], []],
  ['an empty list', ['Expect: ,'], []],
  ['the same twice', ['Expect: 100-continue, 100-Continue'], ['100-continue']],
  ['the same in two lines', ['Expect: 100-continue', 'Expect: 100-continue'], ['100-continue']],
])('an expectation: %s', async (_, lines, expected) => {
  const { fields, body } = await passed(`${head('POST / HTTP/1.1', 'Host: a', ...lines, 'Content-Length: 5')}hello`);
  expect(listValues(fields, 'expect')).toEqual(expected);
  expect(body).toBe('hello');
});

test.each([
  ['OPTIONS', '5', '4'],
  ['OPTIONS', '1', '0'],
  ['TRACE', '10', '9'],
  ['GET', '0', '0'],
  ['OPTIONS', 'x', 'x'],
])('%s with Max-Forwards: %s goes on with %s', async (method, before, after) => {
  const { fields } = await passed(head(`${method} / HTTP/1.1`, 'Host: a', `Max-Forwards: ${before}`));
  expect(listValues(fields, 'max-forwards')).toEqual([after]);
});

test.each([
  ['OPTIONS', 200],
  ['TRACE', 405],
])('%s with Max-Forwards: 0 ends here', async (method, status) => {
  const stand = await startStand();
  const client = await send(
    stand.engine.port,
    head(`${method} /1 HTTP/1.1`, 'Host: a', 'Max-Forwards: 0', 'Cookie: a=1'),
  );
  const [response] = await client.responds();
  expect(response).toMatchObject({ status, body: '' });
  expect(findField(response, 'allow')).toContain('GET');
  expect(client.received).not.toContain('a=1');
  await expectServes(stand);
  expect(stand.upstream.targets).toEqual(['/sentinel']);
});

test('a response without a Date gets the one at which it came, and one with a Date keeps its own', async () => {
  const dated = head('HTTP/1.1 200 OK', 'Date: Thu, 01 Jan 1970 00:00:00 GMT', 'Content-Length: 0');
  const upstream = await startUpstream(({ target }) => (target === '/dated' ? dated : OK));
  const { engine } = await startStand({}, upstream);
  const client = await send(
    engine.port,
    head('GET / HTTP/1.1', 'Host: a') + head('GET /dated HTTP/1.1', 'Host: a') + head('GET / HTTP/1.1', 'Host: ?'),
  );
  const dates = (await client.responds(3)).map(({ fields }) => listValues(fields, 'date'));
  expect(dates[1]).toEqual(['Thu, 01 Jan 1970 00:00:00 GMT']);
  for (const date of [dates[0], dates[2]]) {
    expect(date).toHaveLength(1);
    expect(date![0]).toBe(new Date(date![0]!).toUTCString());
  }
});
