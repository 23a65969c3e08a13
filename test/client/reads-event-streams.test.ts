import type http from 'node:http';
import { ReconnectingEventSource, type ReconnectingEventSourceOptions } from '../../client/index';
import { later, recordWaits, startHttpServer, stopAll, until } from './support/hostile-server';

afterEach(stopAll);

const STREAM = { 'content-type': 'text/event-stream' };

/** A client that requests again at once, and what it dispatches. */
function follow(url: string, options: ReconnectingEventSourceOptions = {}) {
  const source = new ReconnectingEventSource(url, { minDelayMs: 1, maxDelayMs: 5, ...options });
  later(() => source.close());
  const said: string[] = [];
  source.onopen = () => said.push(`open ${source.readyState}`);
  source.onmessage = ({ data, lastEventId }) => said.push(`${lastEventId}: ${data}`);
  source.onerror = ({ response }) => said.push(`error ${response?.status} ${source.readyState}`);
  return { source, said };
}

/** What the HTML standard (9.2.6) makes of a stream: the type, the id and the data of each event. */
const STREAMS: [name: string, stream: string, events: [type: string, id: string, data: string][]][] = [
  ['several lines of data', 'data: YHOO\ndata: +2\ndata: 10\n\n', [['message', '', 'YHOO\n+2\n10']]],
  [
    'comments, ids, no space after the colon',
    ': test\n\ndata:first\nid: 1\n\ndata:second\nid\n\ndata:  third\n\n',
    [
      ...([
        ['message', '1', 'first'],
        ['message', '', 'second'],
        ['message', '', ' third'],
      ] as [string, string, string][]),
    ],
  ],
  [
    'empty data',
    'data\n\ndata\ndata\n\ndata:',
    [
      ['message', '', ''],
      ['message', '', '\n'],
    ],
  ],
  ['no data: no event, but the id counts', 'event: a\nid: 7\n\ndata: b\n\n', [['message', '7', 'b']]],
  [
    'a type is of one event',
    'event: a\ndata: 1\n\ndata: 2\n\n',
    [
      ['a', '', '1'],
      ['message', '', '2'],
    ],
  ],
  [
    'a BOM at the start, one alone',
    '\uFEFFdata: a\n\n\uFEFFdata: b\n\ndata: c\n\n',
    [
      ['message', '', 'a'],
      ['message', '', 'c'],
    ],
  ],
  [
    'an id with NUL does not count',
    'id: 1\ndata: a\n\nid: 2\0\ndata: b\n\n',
    [
      ['message', '1', 'a'],
      ['message', '1', 'b'],
    ],
  ],
  ['what is not ended is no event', 'data: a\n\nid: 9\ndata: b\n', [['message', '', 'a']]],
  ['separators of Unicode are no ends of lines', 'data: a\u2028b\u0085c\n\n', [['message', '', 'a\u2028b\u0085c']]],
  ['characters of several bytes', 'data: ä€😀\nid: ö\n\n', [['message', 'ö', 'ä€😀']]],
  ['unknown fields, and names with spaces', 'foo: 1\ndata : 2\n data: 3\ndata: 4\n\n', [['message', '', '4']]],
];

describe.each([
  ['LF', '\n'],
  ['CR LF', '\r\n'],
  ['CR', '\r'],
])('lines that end with %s', (_, end) => {
  test.each(STREAMS)('%s: the same events in chunks of any size', async (_name, stream, events) => {
    const bytes = Buffer.from(stream.replaceAll('\n', end));
    const sizes = [bytes.length, 1, 2, 3];
    for (const size of sizes) {
      const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_chunk, at) =>
        bytes.subarray(at * size, (at + 1) * size),
      );
      const body = new ReadableStream<Uint8Array>({
        pull: (to) => (chunks.length > 0 ? to.enqueue(chunks.shift()!) : to.close()),
      });
      const source = new ReconnectingEventSource('http://127.0.0.1/', {
        fetch: async () => new Response(body, { headers: STREAM }),
        reconnect: () => false,
      });
      const got: string[][] = [];
      for (const type of ['message', 'a']) {
        source.addEventListener(type, (event) => {
          const { data, lastEventId } = event as unknown as { data: string; lastEventId: string };
          got.push([event.type, lastEventId, data]);
        });
      }
      await new Promise((resolve) => (source.onerror = resolve));
      // In CR LF, U+0085 and U+2028 stay what they are.
      const expected = events.map(([type, id, data]) => [type, id, data]);
      expect({ size, got }).toEqual({ size, got: expected });
    }
  });
});

test('an event is dispatched as soon as its line has ended, also by a CR alone', async () => {
  const { url } = await startHttpServer((_, response) => response.writeHead(200, STREAM).write('data: a\r\r'));
  const { said } = follow(url);
  await until(() => said.length === 2);
  expect(said).toEqual(['open 1', ': a']);
});

test('a stream that ended is requested again, with the last id as UTF-8, and the origin is that of the response', async () => {
  const { url, requests } = await startHttpServer((_, response, number) => {
    response.writeHead(200, STREAM).end(number === 1 ? 'id: ö1\ndata: a\n\nid: lost\ndata: x' : `data: ${number}\n\n`);
  });
  const { source, said } = follow(url);
  const origins: string[] = [];
  source.addEventListener('message', ({ origin }) => origins.push(origin));
  await until(() => requests.length >= 3);
  const { headers } = requests[1]!;
  expect(Buffer.from(headers['last-event-id'] as string, 'latin1').toString()).toBe('ö1');
  expect(requests[0]!.headers).toMatchObject({ accept: 'text/event-stream', 'cache-control': 'no-cache' });
  expect(requests[0]!.headers).not.toHaveProperty('last-event-id');
  expect(said.slice(0, 5)).toEqual(['open 1', 'ö1: a', 'error 200 0', 'open 1', 'ö1: 2']);
  expect(origins[0]).toBe(new URL(url).origin);
});

/** What a first response makes of a GET, of a POST, and of a POST whose stream has ids. */
const OUTCOMES: [name: string, respond: (response: http.ServerResponse) => unknown, get: boolean, post: boolean][] = [
  ['204', (response) => response.writeHead(204).end(), false, false],
  ['404', (response) => response.writeHead(404).end(), false, false],
  [
    '200 of another type',
    (response) => response.writeHead(200, { 'content-type': 'text/plain' }).end('data: a\n\n'),
    false,
    false,
  ],
  ['500', (response) => response.writeHead(500).end(), true, false],
  ['502', (response) => response.writeHead(502).end(), true, false],
  ['503', (response) => response.writeHead(503).end(), true, false],
  ['503 with Retry-After', (response) => response.writeHead(503, { 'retry-after': '0' }).end(), true, true],
  ['429', (response) => response.writeHead(429).end(), false, false],
  ['429 with Retry-After', (response) => response.writeHead(429, { 'retry-after': '0' }).end(), true, true],
  ['a connection that was cut', (response) => response.destroy(), true, false],
  [
    'a stream that was cut',
    (response) => response.writeHead(200, STREAM).write('data: a\n\n', () => response.destroy()),
    true,
    false,
  ],
  [
    'a stream with ids that was cut',
    (response) =>
      response.writeHead(200, STREAM).write('id: 1\ndata: a\n\n', () => setTimeout(() => response.destroy(), 20)),
    true,
    true,
  ],
  ['a stream that ended', (response) => response.writeHead(200, STREAM).end('id: 1\ndata: a\n\n'), true, false],
];

describe.each([
  ['GET', 2],
  ['POST', 3],
] as const)('%s', (method, column) => {
  test.each(OUTCOMES)('%s', async (...row) => {
    const [, respond] = row;
    const isAgain = row[column];
    const { url, requests } = await startHttpServer((_, response, number) => {
      if (number === 1) respond(response);
      else response.writeHead(200, STREAM).write('data: again\n\n');
    });
    const { source, said } = follow(url, method === 'POST' ? { method, body: '{}' } : {});
    await until(() => said.some((each) => each.startsWith('error')));
    expect(said.find((each) => each.startsWith('error'))).toMatch(isAgain ? / 0$/ : / 2$/);
    expect(source.readyState === 2).toBe(!isAgain);
    if (isAgain) await until(() => said.at(-1)!.endsWith(': again'));
    expect(requests.map((each) => each.method)).toEqual(isAgain ? [method, method] : [method]);
  });
});

test('the application decides: `reconnect` comes before the rules', async () => {
  const { url, requests } = await startHttpServer((_, response) => response.writeHead(404).end());
  const { source } = follow(url, { reconnect: ({ response }, tries) => response?.status === 404 && tries < 2 });
  await until(() => source.readyState === 2);
  expect(requests).toHaveLength(3);
});

test('waits: what the server asks for, and a draw on top; never so long that a timer ends at once', async () => {
  const waits = recordWaits(0.5);
  const now = 1_700_000_000_000;
  jest.spyOn(Date, 'now').mockReturnValue(now);
  const asked = [
    { 'retry-after': '2' },
    { 'retry-after': new Date(now + 3000).toUTCString() },
    { 'retry-after': new Date(now - 3000).toUTCString() },
    { 'retry-after': 'soon' },
    { 'retry-after': '99999999999' },
  ];
  const first: (number | undefined)[] = [];
  for (const headers of asked) {
    const before = waits().length;
    const { url } = await startHttpServer((_, response) => response.writeHead(503, headers).end());
    const { source } = follow(url, { minDelayMs: 10 });
    // A short one is followed by others.
    await until(() => waits().length > before);
    source.close();
    first.push(waits()[before]);
  }
  expect(first).toEqual([2002.5, 3002.5, 2.5, 2.5, 2e9]);
});

test('`retry` of a stream is in force for all further waits; what is no number is not', async () => {
  const waits = recordWaits(0.5);
  const { url } = await startHttpServer((_, response) =>
    response.writeHead(200, STREAM).end('retry: 7\nretry: 8x\nretry: \n\n'),
  );
  const { said } = follow(url, { minDelayMs: 2, maxDelayMs: 100 });
  await until(() => said.filter((each) => each === 'error 200 0').length === 3);
  expect(waits().slice(0, 3)).toEqual([8, 9, 11]);
});

test('an event ends the back-off', async () => {
  const waits = recordWaits(0.5);
  const { url } = await startHttpServer((_, response, number) => {
    if (number < 3) response.writeHead(500).end();
    else response.writeHead(200, STREAM).end('data: a\n\n');
  });
  const { said } = follow(url, { minDelayMs: 2, maxDelayMs: 100 });
  await until(() => waits().length >= 3 && said.includes(': a'));
  expect(waits().slice(0, 3)).toEqual([1, 2, 1]);
});

test('a server that says nothing, before or in a stream, is given up; comments count', async () => {
  let said: readonly string[] = [];
  const { url, requests } = await startHttpServer((_, response) => {
    if (said.length === 0) return;
    response.writeHead(200, STREAM).write('data: a\n\n');
    if (!said.includes('error 200 0')) return;
    const beat = setInterval(() => response.write(': beat\n'), 10);
    response.on('close', () => clearInterval(beat));
    setTimeout(() => response.write('data: late\n\n'), 700);
  });
  ({ said } = follow(url, { idleTimeoutMs: 300 }));
  await until(() => said.includes(': late'));
  // A machine that is slower than the limit adds errors, and takes none away.
  const first = said.indexOf('open 1');
  expect(said[0]).toBe('error undefined 0');
  expect(said.slice(first, first + 3)).toEqual(['open 1', ': a', 'error 200 0']);
  expect(said.slice(-3)).toEqual(['open 1', ': a', ': late']);
  expect(requests.length).toBeGreaterThanOrEqual(3);
});

test('close: no event of what has come, none of what is under way, and nothing comes alive again', async () => {
  const closed: number[] = [];
  const { url, requests } = await startHttpServer((_, response, number) => {
    response.on('close', () => closed.push(number));
    if (number === 1) response.writeHead(200, STREAM).write('data: a\n\ndata: b\n\n');
    if (number === 2) response.writeHead(500).end();
  });
  const first = follow(url);
  first.source.addEventListener('message', () => first.source.close());
  await until(() => closed.includes(1));
  expect(first.said).toEqual(['open 1', ': a']);
  const inWait = follow(url, { minDelayMs: 1 });
  inWait.source.addEventListener('error', () => inWait.source.close());
  await until(() => inWait.said.length === 1);
  const underWay = follow(url);
  await until(() => requests.length === 3);
  underWay.source.close();
  await until(() => closed.includes(3));
  expect([first, inWait, underWay].map(({ source }) => source.readyState)).toEqual([2, 2, 2]);
  expect(underWay.said).toEqual([]);
  expect(requests).toHaveLength(3);
});

test('headers, method and body are those of `fetch`, on each request, and may change', async () => {
  const bodies: string[] = [];
  const { url, requests } = await startHttpServer((request, response) => {
    let body = '';
    request.on('data', (bytes: Buffer) => (body += bytes.toString()));
    request.on('end', () => {
      bodies.push(body);
      response.writeHead(503, { 'retry-after': '0' }).end();
    });
  });
  let login = 0;
  const source = new ReconnectingEventSource(url, {
    method: 'POST',
    body: 'question',
    minDelayMs: 1,
    get headers() {
      login += 1;
      return { authorization: `Bearer ${login}`, accept: 'application/json' };
    },
  });
  later(() => source.close());
  await until(() => bodies.length >= 2);
  expect(bodies.slice(0, 2)).toEqual(['question', 'question']);
  expect(requests.slice(0, 2).map(({ headers }) => headers.accept)).toEqual(
    Array(2).fill('application/json, text/event-stream'),
  );
  expect(requests[0]!.headers.authorization).not.toBe(requests[1]!.headers.authorization);
});

test('constants, handlers and properties are those of `EventSource`', async () => {
  const { url } = await startHttpServer((_, response) => response.writeHead(200, STREAM).write(': hello\n'));
  const { source, said } = follow(url, { withCredentials: true });
  expect(source).toMatchObject({ CONNECTING: 0, OPEN: 1, CLOSED: 2, url, withCredentials: true, readyState: 0 });
  const { CONNECTING, OPEN, CLOSED } = ReconnectingEventSource;
  expect([CONNECTING, OPEN, CLOSED]).toEqual([0, 1, 2]);
  await until(() => said.length === 1);
  expect(() => new ReconnectingEventSource('http://')).toThrow(expect.objectContaining({ name: 'TypeError' }) as Error);
});
