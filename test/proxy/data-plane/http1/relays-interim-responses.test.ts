import { stopAll } from '../../support/world';
import { listValues } from './support/messages';
import { Stand, each, expectRejected, expectServes, head, startStand } from './support/rejections';
import { RawResponse, RawClient, send } from './support/raw-client';
import { OK, startUpstream } from './support/raw-upstream';

afterEach(stopAll);

const HINTS = head('HTTP/1.1 103 Early Hints', 'Link: </a.css>; rel=preload');
const CONTINUE = head('HTTP/1.1 100 Continue');

async function respondsTo(request: string, response: string): Promise<RawResponse[]> {
  const upstream = await startUpstream(({ target }) => (target === '/sentinel' ? OK : response));
  const stand = await startStand({}, upstream);
  const client = await send(stand.engine.port, request);
  await client.responds();
  await expectServes(stand);
  return client.read().responses;
}

const statuses = (responses: readonly RawResponse[]) => responses.map(({ status }) => status);
const GET = head('GET / HTTP/1.1', 'Host: a');

test.each([
  ['103', HINTS, [103, 200]],
  ['103 with a link of no known form', head('HTTP/1.1 103 Early Hints', 'Link: no link at all'), [103, 200]],
  ['several 103', HINTS.repeat(3), [103, 103, 103, 200]],
  ['102', head('HTTP/1.1 102 Processing'), [102, 200]],
  ['104', head('HTTP/1.1 104 Upload Resumption Supported'), [104, 200]],
  ['a 100 that no one asked for', CONTINUE, [100, 200]],
  ['one that has no name yet', head('HTTP/1.1 199 Something'), [199, 200]],
  ['one after the other', head('HTTP/1.1 102 P') + HINTS + head('HTTP/1.1 199 x'), [102, 103, 199, 200]],
])('%s', async (_, interim, expected) => {
  expect(statuses(await respondsTo(GET, interim + OK))).toEqual(expected);
});

test('the fields of a 103 pass, except those of one hop', async () => {
  const hints = head(
    'HTTP/1.1 103 Early Hints',
    'Link: </a>',
    'Link: </b>',
    'X: 1',
    'Connection: x-hop',
    'X-Hop: 1',
    'Keep-Alive: timeout=5',
  );
  const [response] = await respondsTo(GET, hints + OK);
  expect(listValues(response!.fields, 'link').join(', ')).toBe('</a>, </b>');
  for (const name of ['x-hop', 'keep-alive', 'connection']) expect(listValues(response!.fields, name)).toEqual([]);
});

test('no interim response to HTTP/1.0', async () => {
  const responses = await respondsTo(head('GET / HTTP/1.0', 'Host: a'), CONTINUE + HINTS + OK);
  expect(statuses(responses)).toEqual([200]);
});

test('a 103 leaves before the response is there', async () => {
  const upstream = await startUpstream((_, connection) => void connection.write(HINTS));
  const { engine } = await startStand({}, upstream);
  const client = await send(engine.port, GET);
  await client.when(() => client.read().responses.length === 1);
  upstream.connections[0]?.write(OK);
  expect(await client.statuses()).toEqual([200]);
});

test.each([
  ['a length', head('HTTP/1.1 103 Early Hints', 'Content-Length: 38')],
  ['chunks', head('HTTP/1.1 103 Early Hints', 'Transfer-Encoding: chunked')],
])('an interim response has no body, though it has %s', async (_, interim) => {
  const responses = await respondsTo(GET, interim + OK);
  const last = responses.at(-1);
  expect([200, 502]).toContain(last?.status);
  for (const { status, fields } of responses) {
    if (status >= 200) continue;
    expect(listValues(fields, 'content-length')).toEqual([]);
    expect(listValues(fields, 'transfer-encoding')).toEqual([]);
  }
});

const UPLOAD = head('POST / HTTP/1.1', 'Host: a', 'Expect: 100-continue', 'Content-Length: 5');

interface Expecting {
  readonly stand: Stand;
  readonly client: RawClient;
}

/** A client that waits for a 100, and an upstream that has its head. */
async function expectContinue(responseHead: string, upload = UPLOAD): Promise<Expecting> {
  let isFirst = true;
  const upstream = await startUpstream(
    () => OK,
    (connection) => {
      if (!isFirst || !connection.received.includes('\r\n\r\n')) return;
      isFirst = false;
      connection.write(responseHead);
    },
  );
  const stand = await startStand({}, upstream);
  const client = await send(stand.engine.port, upload);
  return { stand, client };
}

test.each([UPLOAD, UPLOAD.replace('100-continue', '100-Continue')])(
  'a 100 is the upstream’s to give: %j',
  async (upload) => {
    const { stand, client } = await expectContinue(CONTINUE, upload);
    await client.when(() => client.read().responses.length === 1);
    expect(stand.upstream.connections[0]?.received).toMatch(/^expect: 100-continue\r\n/im);
    expect(stand.upstream.connections[0]?.received).toMatch(/\r\n\r\n$/);
    client.send('hello');
    expect(await client.statuses()).toEqual([200]);
    expect(statuses(client.read().responses)).toEqual([100, 200]);
    expect(stand.upstream.requests[0]?.body).toBe('hello');
  },
);

test('a client that does not wait for its 100 is served', async () => {
  const { stand, client } = await expectContinue(CONTINUE, `${UPLOAD}hello`);
  expect(await client.statuses()).toEqual([200]);
  expect(stand.upstream.requests[0]?.body).toBe('hello');
  await expectServes(stand);
});

test('a body that the upstream did not want is no request, whether it comes or not', async () => {
  const hidden = head('GET /hidden HTTP/1.1', 'Host: a');
  const upload = UPLOAD.replace('Content-Length: 5', `Content-Length: ${hidden.length}`);
  const { stand, client } = await expectContinue(
    head('HTTP/1.1 413 No', 'Content-Length: 0', 'Connection: close'),
    upload,
  );
  expect(await client.statuses()).toEqual([413]);
  if (!client.hasEnded) client.send(hidden + head('GET /next HTTP/1.1', 'Host: a'));
  await client.responds(2);
  expect(stand.upstream.targets.filter((target) => target === '/hidden')).toEqual([]);
  expect((await client.statuses(2)).length).toBeLessThanOrEqual(2);
  await expectServes(stand);
});

test.each(
  each(417, {
    'another expectation': head('POST / HTTP/1.1', 'Host: a', 'Expect: tea', 'Connection: close', 'Content-Length: 0'),
    'another beside it': head(
      'POST / HTTP/1.1',
      'Host: a',
      'Expect: 100-continue, tea',
      'Connection: close',
      'Content-Length: 0',
    ),
    'another with a body': `${head('POST / HTTP/1.1', 'Host: a', 'Expect: tea', 'Connection: close', 'Content-Length: 5')}hello`,
    'almost it': head('POST / HTTP/1.1', 'Host: a', 'Expect: 100-continued', 'Connection: close', 'Content-Length: 0'),
  }),
)('417: %s', (_, bytes, status) => expectRejected(bytes, status));
