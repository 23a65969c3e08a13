import { stopAll } from '../../support/world';
import { listValues } from './support/messages';
import { expectServes, head, startStand } from './support/rejections';
import { RawResponse, findField, send } from './support/raw-client';
import { RawRequest, startUpstream } from './support/raw-upstream';

afterEach(stopAll);

async function passed(...lines: string[]): Promise<RawRequest> {
  const stand = await startStand();
  const client = await send(stand.engine.port, head('GET / HTTP/1.1', 'Host: a', ...lines));
  expect(await client.statuses()).toEqual([200]);
  await expectServes(stand);
  return stand.upstream.requests[0]!;
}

async function responded(...lines: string[]): Promise<RawResponse> {
  const upstream = await startUpstream(() => `${head('HTTP/1.1 200 OK', 'Content-Length: 2', ...lines)}ok`);
  const stand = await startStand({}, upstream);
  const client = await send(stand.engine.port, head('GET / HTTP/1.1', 'Host: a'));
  const [response] = await client.responds();
  expect(response).toMatchObject({ status: 200, body: 'ok' });
  await expectServes(stand);
  return response!;
}

test.each([
  ['Keep-Alive', 'timeout=5'],
  ['Proxy-Connection', 'keep-alive'],
  ['Proxy-Authorization', 'Basic a'],
  ['Proxy-Authenticate', 'Basic realm=a'],
  ['TE', 'gzip'],
  ['TE', 'trailersx'],
  ['Upgrade', 'h2c'],
  ['Upgrade', 'TLS/1.0'],
  ['HTTP2-Settings', 'AAMAAABkAAQAAP__'],
  ['keep-alive', 'in lowercase'],
])('never reaches the upstream: %s: %s', async (name, value) => {
  const { fields } = await passed(`${name}: ${value}`, 'X: 1');
  expect(listValues(fields, name.toLowerCase())).toEqual([]);
  expect(listValues(fields, 'x')).toEqual(['1']);
});

test.each([
  ['one', ['Connection: meter', 'Meter: 1'], ['meter']],
  ['one in other letters', ['Connection: METER', 'meter: 1'], ['meter']],
  ['several', ['Connection: c-man,c-opt , \tc-ext', 'C-Man: 1', 'C-Opt: 1', 'C-Ext: 1'], ['c-man', 'c-opt', 'c-ext']],
  ['in several lines', ['Connection: c-man', 'C-Man: 1', 'Connection: meter', 'Meter: 1'], ['c-man', 'meter']],
  ['one that comes twice', ['Meter: 1', 'Connection: meter', 'Meter: 2'], ['meter']],
  ['one beside close', ['Connection: keep-alive, meter', 'Meter: 1'], ['meter']],
  ['one between empty items', ['Connection: ,, meter ,', 'Meter: 1'], ['meter']],
])('fields that Connection may name are left here: %s', async (_, lines, names) => {
  const { fields } = await passed(...lines, 'X-Last: 1');
  for (const name of names) expect(listValues(fields, name)).toEqual([]);
  expect(findField({ fields } as RawRequest, 'connection') ?? '').not.toMatch(/meter|c-/i);
  expect(listValues(fields, 'x-last')).toEqual(['1']);
});

test('a client’s Connection names no other field away: not those that say who it is, nor what the edge says', async () => {
  const names = [
    ...['Authorization', 'Cookie', 'Forwarded', 'X-Forwarded-For', 'X-Forwarded-Proto', 'X-Forwarded-Port'],
    ...['X-Forwarded-Host', 'X-Real-IP', 'X-Amzn-Trace-Id', 'X-Amzn-Oidc-Data', 'Traceparent', 'Tracestate', 'Via'],
    // Of CloudFront, Cloudflare, Akamai, Fastly, Azure Front Door and Google's load balancer.
    ...['X-Origin-Verify', 'X-Amz-Cf-Id', 'CloudFront-Viewer-Address', 'CF-Connecting-IP', 'CF-Access-Jwt-Assertion'],
    ...[
      'CDN-Loop',
      'True-Client-IP',
      'X-Akamai-Signature',
      'Fastly-Client-IP',
      'X-Azure-FDID',
      'X-Goog-Iap-Jwt-Assertion',
    ],
    ...['X-Client-Cert', 'X-SSL-Client-Verify', 'X-Api-Key', 'X-CSRF-Token', 'X-Hub-Signature', 'X-User', 'X-Hop'],
    ...[
      'Origin',
      'Referer',
      'Sec-Fetch-Site',
      'Range',
      'If-Match',
      'Expect-CT',
      'Max-Forwards',
      'Accept',
      'User-Agent',
    ],
  ];
  const { fields } = await passed(
    `Connection: close, ${names.join(', ').toLowerCase()}`,
    ...names.map((name) => `${name}: a`),
  );
  for (const name of names) expect([name, ...listValues(fields, name.toLowerCase())]).toEqual([name, 'a']);
});

test('Connection cannot name Host away', async () => {
  const { fields } = await passed('Connection: host');
  expect(listValues(fields, 'host')).toEqual(['a']);
});

test.each([
  ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQAAP__'],
  ['Connection: upgrade', 'Upgrade: h2c'],
  ['Connection: Upgrade', 'Upgrade: TLS/1.0, irc/6.9'],
])('%s with %s is served as if it had not asked', async (...lines) => {
  const { fields } = await passed(...lines);
  const sent = fields.map(([name, value]) => `${name}: ${value}`).join('\n');
  expect(sent).not.toMatch(/upgrade|h2c|http2-settings/i);
});

test.each(['trailers', 'gzip, trailers', 'TRAILERS'])(
  'of TE: %s only trailers passes, named by Connection',
  async (te) => {
    const { fields } = await passed('Connection: TE', `TE: ${te}`);
    expect(listValues(fields, 'te').map((value) => value.toLowerCase())).toEqual(['trailers']);
    expect(listValues(fields, 'connection').join().toLowerCase()).toMatch(/(^|[, ])te($|[, ])/);
  },
);

test('every other field passes once, as it is and in its order', async () => {
  const lines = [
    'Accept: */*',
    'X-B: 2',
    'Cookie: a=1; b=2',
    'X-A: 1',
    'Max-Forwards: 3',
    'Via: 1.0 a',
    'If-None-Match: "1"',
  ];
  const { fields } = await passed(...lines);
  const own = fields.filter(([name]) => !['host', 'connection'].includes(name));
  expect(own.map(([name, value]) => `${name}: ${value}`)).toEqual(
    lines.map((line) => line.replace(/^[^:]+/, (name) => name.toLowerCase())),
  );
});

test.each([
  ['Keep-Alive', 'timeout=5'],
  ['Proxy-Connection', 'keep-alive'],
  ['Proxy-Authenticate', 'Basic realm=a'],
  ['Upgrade', 'h2c'],
  ['TE', 'trailers'],
])('never reaches the client: %s: %s', async (name, value) => {
  const response = await responded(`${name}: ${value}`, 'X: 1');
  // The proxy may say something of its own here.
  expect(listValues(response.fields, name.toLowerCase())).not.toContain(value);
  expect(findField(response, 'x')).toBe('1');
});

test('fields that a response’s Connection names are left here, except those that are not of one hop', async () => {
  const response = await responded(
    'Connection: x-hop, set-cookie, content-length',
    'X-Hop: 1',
    'Set-Cookie: a=1',
    'Set-Cookie: b=2',
  );
  expect(findField(response, 'x-hop')).toBeUndefined();
  expect(listValues(response.fields, 'set-cookie')).toEqual(['a=1', 'b=2']);
  expect(findField(response, 'content-length')).toBe('2');
});

test('a response’s Connection: close ends the upstream’s connection, not the client’s', async () => {
  const upstream = await startUpstream(() => `${head('HTTP/1.1 200 OK', 'Connection: close', 'Content-Length: 2')}ok`);
  const { engine } = await startStand({}, upstream);
  const client = await send(engine.port, head('GET /1 HTTP/1.1', 'Host: a'));
  const [response] = await client.responds();
  expect(findField(response, 'connection') ?? '').not.toMatch(/close/i);
  client.send(head('GET /2 HTTP/1.1', 'Host: a'));
  expect(await client.statuses(2)).toEqual([200, 200]);
  expect(upstream.requests.map(({ connection }) => connection)).toEqual([0, 1]);
});

test('fields that are no framing pass from the upstream as they are', async () => {
  const response = await responded(
    'Server: s',
    'X: caf\xc3\xa9',
    'X: \t2',
    'Empty:',
    'Date: Thu, 01 Jan 1970 00:00:00 GMT',
  );
  expect(
    response.fields.filter(([name]) => name !== 'content-length' && name !== 'connection' && name !== 'keep-alive'),
  ).toEqual([
    ['server', 's'],
    ['x', 'caf\xc3\xa9'],
    ['x', '2'],
    ['empty', ''],
    ['date', 'Thu, 01 Jan 1970 00:00:00 GMT'],
  ]);
});
