import { convertHar } from '../../../core/scenario/from-har';
import { parseScenario } from '../../../core/scenario/scenario';

interface Given {
  readonly method?: string;
  readonly url?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly postData?: object;
  readonly bodySize?: number;
  readonly status?: number;
  readonly type?: string;
  readonly text?: string;
  readonly set?: string;
  readonly responseHeaders?: Readonly<Record<string, string>>;
  readonly messages?: readonly object[];
}

let clock = 0;
const pairs = (fields: Readonly<Record<string, string>> = {}) =>
  Object.entries(fields).map(([name, value]) => ({ name, value }));

/** As Chromium and Firefox write it. */
function entry({ method = 'GET', url = 'https://shop.example.com/', ...given }: Given): object {
  const { headers, postData, bodySize = -1, status = 200, type = 'text/html', text = '', set, messages } = given;
  const responseHeaders = { ...given.responseHeaders, ...(set !== undefined && { 'Set-Cookie': set }) };
  return {
    startedDateTime: new Date((clock += 1000)).toISOString(),
    request: { method, url, headers: pairs(headers), bodySize, ...(postData && { postData }) },
    response: {
      status,
      headers: pairs(responseHeaders),
      content: { mimeType: type, text },
    },
    ...(messages && { _webSocketMessages: messages }),
  };
}

const PAGE: Given = { type: 'text/html; charset=utf-8' };

function convert(...given: readonly Given[]) {
  const converted = convertHar({ log: { entries: given.map(entry) } });
  if (!converted) throw new Error('no HAR');
  const scenario = parseScenario(converted.value);
  return { scenario, notes: converted.notes, steps: scenario.journeys[0]?.steps ?? [] };
}

test('requests of the host of the first page come in their order, with what the browser itself does not set', () => {
  const later = entry({ url: 'https://shop.example.com/later' });
  const har = {
    log: {
      entries: [
        later,
        {
          ...entry({ url: 'https://ads.example.net/pixel', type: 'image/gif' }),
          startedDateTime: new Date(0).toISOString(),
        },
        {
          ...entry({
            url: 'https://shop.example.com/?a=$%7Bb%7D',
            headers: {
              ':authority': 'x',
              Host: 'shop.example.com',
              Accept: '*/*',
              'Accept-Encoding': 'br',
              Cookie: 'a=b',
              Origin: 'https://shop.example.com',
              Referer: 'r',
              'If-None-Match': 'e',
              'X-Text': 'is ${x}',
            },
            status: 304,
          }),
          startedDateTime: new Date(1).toISOString(),
        },
        entry({ url: 'data:text/plain,x' }),
        entry({ url: 'https://shop.example.com/blocked', status: 0 }),
      ],
    },
  };
  const { value, notes } = convertHar(har) ?? {};
  const { journeys, cookies } = parseScenario(value);
  expect(journeys[0]?.steps).toMatchObject([
    {
      name: 'recording: GET /',
      path: '/?a=$%7Bb%7D',
      headers: { accept: '*/*', origin: '${origin}', 'x-text': 'is $${x}' },
      expect: { status: 200 },
    },
    { path: '/later' },
  ]);
  expect(Object.keys(journeys[0]?.steps[0]?.headers ?? {})).toEqual(['accept', 'origin', 'x-text']);
  expect(cookies).toEqual({ a: 'b' });
  expect(notes).toEqual([
    '2 entries of shop.example.com; left out: 1 of other hosts (ads.example.net), 1 without a response',
    'each client has the recorded cookies a, whose values are secrets',
  ]);
  expect(convertHar(har, 'ads.example.net')?.notes).toEqual([
    expect.stringMatching(/^1 entry of ads\.example\.net; left out: 3 of other hosts/),
  ]);
});

test('what can be right in no run is left out, and said; what was asked for a part asks for it', () => {
  const video: Given = { url: 'https://shop.example.com/v.mp4', type: 'video/mp4', headers: { Range: 'bytes=0-9' } };
  const ws: Given = { url: 'wss://shop.example.com/ws', headers: { 'Sec-WebSocket-Protocol': 'a' } };
  const { steps, scenario, notes } = convert(
    { url: 'http://shop.example.com/', status: 307, responseHeaders: { Location: 'https://shop.example.com/' } },
    PAGE,
    { url: 'https://shop.example.com/old', status: 301, responseHeaders: { location: '/' } },
    { ...video, status: 206 },
    { ...video, status: 200 },
    { ...PAGE, status: -1 },
    { ...PAGE, status: 412 },
    { ...PAGE, status: 503 },
    { ...ws, status: 403 },
    { ...ws, status: 101 },
    { url: 'https://shop.example.com/events', type: 'text/event-stream', status: 401 },
  );
  expect(steps.map(({ path, headers, expect: { status } }) => [path, headers, status])).toEqual([
    ['/', {}, 200],
    ['/old', {}, 301],
    ['/v.mp4', { range: 'bytes=0-9' }, 206],
    ['/v.mp4', {}, 200],
    ['/events', {}, 401],
  ]);
  expect(scenario.webSockets).toMatchObject([{ path: '/ws', subprotocol: undefined }]);
  expect(notes).toEqual([
    '6 entries of shop.example.com; left out: 1 that redirect to https, 1 without a response, 1 whose condition did not hold (412), 1 with a status of trouble (429, 500 and above), 1 that are a WebSocket which was rejected',
  ]);
});

test('the host is that of the first page, not of a redirect to it', () => {
  const { notes } = convert(
    { ...PAGE, url: 'https://example.com/', status: 301, responseHeaders: { location: 'https://www.example.com/' } },
    { ...PAGE, url: 'https://www.example.com/' },
  );
  expect(notes).toEqual(['1 entry of www.example.com; left out: 1 of other hosts (example.com)']);
});

test('a token of a form, of JSON and of a cookie is taken from the response that brings it', () => {
  const { steps } = convert(
    { ...PAGE, text: '<input name="csrf" value="tok3n-abc">', set: 'XSRF=c00kie-value; Path=/' },
    {
      method: 'POST',
      url: 'https://shop.example.com/login',
      postData: { mimeType: 'application/x-www-form-urlencoded', text: 'csrf=tok3n-abc&user=me' },
      headers: { 'X-XSRF-Token': 'c00kie-value' },
      status: 303,
      type: 'application/json',
      text: '{"auth":{"jwt":"eyJ0.abc123.def456"}}',
    },
    { url: 'https://shop.example.com/me', headers: { Authorization: 'Bearer eyJ0.abc123.def456' } },
  );
  expect(steps).toMatchObject([
    {
      save: {
        recorded_csrf: { matches: '<input name="csrf" value="([^"\'&<>\\s]+)' },
        recorded_X_XSRF_Token: { cookie: 'XSRF' },
      },
    },
    {
      body: 'csrf=${recorded_csrf}&user=me',
      headers: { 'x-xsrf-token': '${recorded_X_XSRF_Token}' },
      save: { recorded_Authorization: { json: '/auth/jwt' } },
    },
    { headers: { authorization: 'Bearer ${recorded_Authorization}' } },
  ]);
});

test('the id of what was made is that of each run; a number that was only read is not', () => {
  const { steps } = convert(
    { ...PAGE, type: 'application/json', text: '{"page":7}' },
    {
      method: 'POST',
      url: 'https://shop.example.com/orders',
      status: 201,
      type: 'application/json',
      text: '{"id":42}',
    },
    { url: 'https://shop.example.com/orders/42?of=7' },
    {
      method: 'PUT',
      url: 'https://shop.example.com/orders',
      postData: { mimeType: 'application/json', text: '{"id":42,"n":142}' },
    },
  );
  expect(steps.map(({ path, body }) => [path, body])).toEqual([
    ['/', undefined],
    ['/orders', undefined],
    ['/orders/${recorded_id}?of=7', undefined],
    ['/orders', '{"id":${recorded_id},"n":142}'],
  ]);
});

test('only cookies that no response of the recording sets are there from the start, but none of the load balancer', () => {
  const { scenario } = convert(
    { ...PAGE, headers: { cookie: 'old=1; AWSALB=x; set=0' }, set: 'new=2' },
    { headers: { cookie: 'old=1; new=2' } },
  );
  expect(scenario.cookies).toEqual({ old: '1', set: '0' });
});

test('WebSockets, event streams and streamed responses are scripts and streams of their own', () => {
  const message = (type: string, time: number, data: string, opcode = 1) => ({ type, time, opcode, data });
  const { scenario } = convert(
    PAGE,
    {
      url: 'wss://shop.example.com/chat',
      status: 101,
      headers: { 'Sec-WebSocket-Protocol': 'v2, v1' },
      responseHeaders: { 'sec-websocket-protocol': 'v1' },
      messages: [
        message('receive', 1, 'hello'),
        message('send', 2, 'a ${b}'),
        message('receive', 2.1, 'b'),
        message('receive', 30, 'tick'),
        message('send', 31, 'x', 2),
      ],
    },
    { url: 'https://shop.example.com/events', type: 'text/event-stream', headers: { 'Last-Event-ID': '4' } },
    {
      method: 'POST',
      url: 'https://shop.example.com/ask',
      type: 'text/event-stream',
      postData: { mimeType: 'application/json', text: '{}' },
    },
  );
  expect(scenario.webSockets).toMatchObject([
    {
      name: 'GET /chat',
      path: '/chat',
      subprotocol: 'v1',
      opening: [{ expect: {} }, { send: 'a $${b}' }, { expect: {} }],
      script: [],
    },
  ]);
  expect(scenario.eventStreams).toMatchObject([{ path: '/events', headers: {} }]);
  expect(scenario.streams).toMatchObject([{ path: '/ask', method: 'POST', body: '{}' }]);
  expect(scenario.journeys[0]?.steps).toHaveLength(1);
});

test('a body that is not in the recording is not made up', () => {
  const params = [{ name: 'a b', value: 'c&d' }];
  const { steps, notes } = convert(
    { ...PAGE, method: 'POST', postData: { mimeType: 'application/x-www-form-urlencoded', params } },
    { method: 'POST', postData: { mimeType: 'application/json', params } },
    { method: 'POST', postData: { mimeType: 'multipart/form-data', text: '' }, bodySize: 100 },
    { method: 'POST', postData: { mimeType: 'image/png', text: '\u0000\u0001' } },
  );
  expect(steps.map(({ body }) => body)).toEqual(['a%20b=c%26d']);
  expect(notes).toEqual(['1 entry of shop.example.com; left out: 3 whose body is not in the recording as a text']);
});

test('no name and no note has a secret of the path or the query', () => {
  const { scenario, notes } = convert({
    ...PAGE,
    url: 'https://shop.example.com/reset/0123456789abcdef0123456789abcdef?token=s3cret',
  });
  expect([scenario.journeys[0]?.steps[0]?.name, ...notes]).toEqual([
    'recording: GET /reset/…',
    '1 entry of shop.example.com',
  ]);
});

test('a long recording has fewer clients, so that they get to its end', () => {
  const many = (count: number) => convert(...Array.from({ length: count }, () => PAGE)).scenario.clients;
  expect([many(1), many(40), many(600)]).toEqual([50, 25, 4]);
});

test.each([
  [null],
  [{}],
  [{ log: {} }],
  [{ log: { entries: [] } }],
  [{ log: { entries: [null, {}, { request: { url: 'about:blank' } }] } }],
  [[]],
])('%j is no recording', (har) => {
  expect(convertHar(har)).toBeUndefined();
});
