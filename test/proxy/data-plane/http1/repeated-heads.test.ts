import { stopAll } from '../../support/world';
import { findField, send } from './support/raw-client';
import { startUpstream } from './support/raw-upstream';
import { expectServes, head, startStand } from './support/rejections';

afterEach(stopAll);

const fieldsOf = (id: string, bytes = '') => ['Host: a', `X-Id: ${id}`, ...(bytes === '' ? [] : [`X-Pad: ${bytes}`])];
const responds = (body: string) => `${head('HTTP/1.1 200 OK', `Content-Length: ${body.length}`)}${body}`;

test('requests whose fields repeat, differ or begin alike each have their own, in one read and in several', async () => {
  // Runs of equal ones, of others, and of fields that go on where the last ones had ended.
  const ids = [...'aaabcdefghijklmnopqrstuvwxyzzzzzyzyz', ...'aaaaaaaaaaaaaaaaaaaaaa', ...'abababababab'];
  const upstream = await startUpstream((request) =>
    responds([request.target, findField(request, 'x-id'), findField(request, 'x-pad') ?? ''].join(' ')),
  );
  const stand = await startStand({}, upstream);
  const expected: string[] = [];
  const requests = ids.map((id, at) => {
    const pad = at % 5 === 4 ? 'p' : '';
    expected.push(`/${at} ${id} ${pad}`);
    return head(`GET /${at} HTTP/1.1`, ...fieldsOf(id, pad));
  });
  const client = await send(stand.engine.port, requests.slice(0, 30).join(''));
  await client.responds(30);
  for (const [index, request] of requests.slice(30).entries()) {
    client.send(request.slice(0, 20));
    await new Promise((resolve) => setImmediate(resolve));
    client.send(request.slice(20));
    await client.responds(31 + index);
  }
  const responses = await client.responds(ids.length);
  expect(responses.map(({ body }) => body)).toEqual(expected);
});

test.each([
  ['in the fields', 'GET /bad HTTP/1.1\r\nHost: a\nX: 1\r\n\r\n'],
  ['behind the request line', 'GET /bad HTTP/1.1\nHost: a\r\n\r\n'],
  [
    'before a body that has an empty line',
    'POST /bad HTTP/1.1\r\nHost: a\r\nContent-Length: 8\n\r\nab\r\n\r\nGET /hidden HTTP/1.1\r\nHost: a\r\n\r\n',
  ],
])('a bare LF %s is rejected, behind requests that were not', async (_, bad) => {
  const upstream = await startUpstream(() => responds('ok'));
  const stand = await startStand({}, upstream);
  const client = await send(stand.engine.port, head('GET /1 HTTP/1.1', 'Host: a').repeat(3) + bad);
  expect(await client.statuses(4)).toEqual([200, 200, 200, 400]);
  await expectServes(stand);
  expect(upstream.targets).toEqual(['/1', '/1', '/1', '/sentinel']);
});

test('responses that repeat or differ each have their own fields', async () => {
  const tags = [...'aaabcdabcdaaaa', ...'bbbbbbbbbbbbbbbbbbbbbb', ...'abab'];
  let count = 0;
  const upstream = await startUpstream(() => {
    const tag = tags[count++]!;
    return `${head('HTTP/1.1 200 OK', `ETag: "${tag}"`, 'Content-Length: 1')}${tag}`;
  });
  const stand = await startStand({}, upstream);
  const client = await send(stand.engine.port, head('GET /1 HTTP/1.1', 'Host: a').repeat(tags.length));
  const responses = await client.responds(tags.length);
  expect(responses.map((response) => `${findField(response, 'etag')}${response.body}`)).toEqual(
    tags.map((tag) => `"${tag}"${tag}`),
  );
});
