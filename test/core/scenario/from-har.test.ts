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
  const steps = [...scenario.start, ...(scenario.journeys[0]?.steps ?? [])];
  const notes = converted.notes.filter((note) => !note.startsWith('the recording has no cookies'));
  return { scenario, notes, steps };
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

test('a short number is an id where it is called so and new, in its own place; a word or a date is none', () => {
  const json = (url: string, given: object, text: string): Given => ({
    url: `https://shop.example.com${url}`,
    type: 'application/json',
    text,
    ...given,
  });
  const sent = (body: object) => ({
    method: 'POST',
    postData: { mimeType: 'application/json', text: JSON.stringify(body) },
  });
  const { steps, notes } = convert(
    json('/products', {}, '{"slug":"iphone-15","since":"2026-01-01","n":12345678}'),
    json('/cart', sent({ productId: 9 }), '{"count":3,"productId":9,"id":5,"lines":[{"lineId":12}]}'),
    json('/products/3?page=3&since=2026-01-01', {}, '{}'),
    json('/products/9/iphone-15', {}, '{}'),
    json('/cart/5/5?page=5&n=12345678', sent({ id: 5, page: 5, lineId: 12 }), '{}'),
    json('/lines?lineId=12&page=12', {}, '{}'),
  );
  expect(steps.slice(2).map(({ path, body }) => [path, body])).toEqual([
    ['/products/3?page=3&since=2026-01-01', undefined],
    ['/products/9/iphone-15', undefined],
    [
      '/cart/${recorded_id}/${recorded_id}?page=5&n=12345678',
      '{"id":${recorded_id},"page":5,"lineId":${recorded_lineId}}',
    ],
    ['/lines?lineId=${recorded_lineId}&page=12', undefined],
  ]);
  expect(notes).toContain('taken from an earlier response in each run: recorded_id, recorded_lineId');
});

const LOGIN: Given = {
  method: 'POST',
  url: 'https://shop.example.com/session/new',
  postData: { mimeType: 'application/json', text: '{"user":"me","password":"hunter2"}' },
  type: 'application/json',
  text: '{"accessToken":"tok3n-0123456789"}',
  set: 'sid=s3ss10n; Path=/',
};
const HOME: Given = { ...PAGE, headers: { cookie: 'sid=s3ss10n' } };

test('a login, and what brings a WebSocket or a stream its cookies and tokens, is what each client does first', () => {
  const { scenario, notes } = convert(
    { ...PAGE, set: 'lang=de' },
    LOGIN,
    { url: 'https://shop.example.com/ticket', type: 'application/json', text: '{"ticket":"abcdef0123456789"}' },
    HOME,
    {
      url: 'wss://shop.example.com/chat?token=tok3n-0123456789',
      status: 101,
      headers: { cookie: 'lang=de; sid=s3ss10n' },
      messages: [
        {
          type: 'send',
          time: 1,
          opcode: 1,
          data: '{"auth":{"token":"tok3n-0123456789","password":"x"},"ticket":"abcdef0123456789"}',
        },
      ],
    },
    {
      url: 'https://shop.example.com/events',
      type: 'text/event-stream',
      headers: { Authorization: 'Bearer tok3n-0123456789' },
    },
    {
      method: 'POST',
      url: 'https://shop.example.com/ask?token=of-another-day-1',
      type: 'text/event-stream',
      postData: { text: '{"n":1}' },
    },
  );
  const names = (steps: readonly { name: string }[]) => steps.map(({ name }) => name);
  expect(names(scenario.start)).toEqual(['start: GET /', 'start: POST /session/new', 'start: GET /ticket']);
  expect(names(scenario.journeys[0]?.steps ?? [])).toEqual(['recording: GET /']);
  expect(scenario.webSockets).toMatchObject([
    {
      path: '/chat?token=${recorded_token}',
      opening: [{ send: '{"auth":{"token":"${recorded_token}","password":"x"},"ticket":"${recorded_ticket}"}' }],
    },
  ]);
  expect(scenario.eventStreams).toMatchObject([{ headers: { authorization: 'Bearer ${recorded_token}' } }]);
  expect(notes).toEqual([
    '7 entries of shop.example.com',
    'each client does the first 3 requests once, which log in or bring tokens',
    'taken from an earlier response in each run: recorded_token, recorded_ticket',
    'secrets that stay as they were recorded, and may have ended since: password (POST /session/new), password (GET /chat), token (POST /ask)',
  ]);
});

test('a session that is renewed with each response began once; a recording that ends with its login has no other start', () => {
  const renewed: Given = { ...HOME, set: 'sid=s3ss10n; Path=/' };
  const ws: Given = { url: 'wss://shop.example.com/ws', status: 101, headers: { cookie: 'sid=s3ss10n' } };
  expect(convert(PAGE, LOGIN, renewed, renewed, ws).scenario.start).toHaveLength(2);
  expect(convert(PAGE, renewed, renewed, { ...renewed, set: 'sid=0ther' }, ws).scenario.start).toHaveLength(2);
  const { scenario, notes } = convert(PAGE, LOGIN, ws);
  expect([scenario.start, scenario.journeys[0]?.steps.length]).toEqual([[], 2]);
  expect(notes).toContain("WebSockets and streams come without a login: let 'start' log in, if they need one");
});

test('a token is found under any name of JSON, and in no script', () => {
  const url = 'https://shop.example.com/me?token=tok3n-0123456789';
  const json = { type: 'application/json', text: '{"a/b":{"c~d":"tok3n-0123456789"}}' };
  expect(convert({ ...PAGE, ...json }, { url }).steps).toMatchObject([
    { save: { recorded_token: { json: '/a~1b/c~0d' } } },
    { path: '/me?token=${recorded_token}' },
  ]);
  const script = { type: 'text/javascript', text: 'token = "tok3n-0123456789"' };
  expect(convert({ ...PAGE, ...script }, { url }).steps[1]?.path).toBe('/me?token=tok3n-0123456789');
  expect(convert({ ...PAGE, ...json, text: 'no JSON' }, { url }).steps[1]?.path).toBe('/me?token=tok3n-0123456789');
});

test('nothing is repeated behind a logout', () => {
  const logout: Given = { method: 'POST', url: 'https://shop.example.com/auth/logout', status: 303 };
  const { scenario, notes } = convert(PAGE, LOGIN, HOME, logout, { ...PAGE, status: 302 });
  expect(scenario.journeys[0]?.steps.map(({ name }) => name)).toEqual(['recording: GET /']);
  expect(notes[0]).toBe('3 entries of shop.example.com; left out: 2 from the logout on');
});

test('what is left out or guessed is said, without a value', () => {
  const long = `https://shop.example.com/${'a'.repeat(300)}`;
  const message = (type: string, opcode: number) => ({ type, time: 1, opcode, data: 'AAAA' });
  const socket = (...messages: readonly object[]): Given => ({
    url: 'wss://shop.example.com/ws',
    status: 101,
    messages,
  });
  const { scenario, steps, notes } = convert(
    {
      ...PAGE,
      url: long,
      headers: { 'X-Name': 'Zoë ☕', 'X\n\u001b[31mCity': 'a', 'X-Latin': 'Zoë', Cookie: 'a[b]=1; c=☕; d=1' },
    },
    { method: 'POST', url: 'https://shop.example.com/ping' },
    { method: 'POST', headers: { 'Content-Length': '0', 'content-type': 'text/plain' } },
    { method: 'POST', headers: { 'Content-Length': '7' }, bodySize: -1 },
    { method: 'PUT', headers: { 'content-type': 'text/plain' } },
    { method: 'PATCH', postData: { mimeType: 'text/plain' } },
    { method: 'HEAD', postData: { mimeType: 'text/plain', text: 'a' } },
    {
      url: 'https://shop.example.com/me?api_key=k',
      headers: { Authorization: 'Basic dXNlcjpwYXNz', 'X-Api-Key': 'k' },
    },
    { ...PAGE, status: 999 },
    socket(message('receive', 2), message('send', 1), message('send', 2), message('receive', 1)),
    socket(...Array.from({ length: 51 }, () => message('send', 1))),
  );
  expect(steps.map(({ method, headers, body }) => [method, headers, body])).toEqual([
    ['GET', { 'x-latin': 'Zoë' }, undefined],
    ['POST', {}, undefined],
    ['POST', { 'content-type': 'text/plain' }, undefined],
    ['HEAD', {}, undefined],
    ['GET', { authorization: 'Basic dXNlcjpwYXNz', 'x-api-key': 'k' }, undefined],
  ]);
  expect(scenario.webSockets.map(({ opening }) => opening.length)).toEqual([2, 50]);
  expect(scenario.cookies).toEqual({ d: '1' });
  expect(notes).toEqual([
    '7 entries of shop.example.com; left out: 3 whose body is not in the recording as a text, 1 with the status 999',
    'each client has the recorded cookies d, whose values are secrets',
    'left out, because no client can send them: the cookies a[b], c',
    "WebSockets and streams come without a login: let 'start' log in, if they need one",
    'secrets that stay as they were recorded, and may have ended since: api_key (GET /me), Authorization (GET /me), X-Api-Key (GET /me)',
    'sent without a body, of which the recording says nothing: POST /ping',
    'left out, because no client can send them: the header fields X-Name, X [31mCity',
    'GET /ws: 2 messages left out, from the first binary one on',
    'GET /ws: 1 message left out, beyond the first 50',
  ]);
});

test('entries beyond the first thousand are counted; a recording without cookies is called so', () => {
  const har = { log: { entries: Array.from({ length: 1_200 }, () => entry(PAGE)) } };
  expect(convertHar(har)?.notes).toEqual([
    '1000 entries of shop.example.com; left out: 200 beyond the first 1,000',
    'the recording has no cookies: Chromium leaves them out where it exports no sensitive data',
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
    'secrets that stay as they were recorded, and may have ended since: token (GET /reset/…)',
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
