import { findHeader, readBody } from '../../../core/capture/http-message';
import type { TrafficStream } from '../../../core/capture/traffic-stream';
import { Assembled, T0, assemble, at, close, eom, part, read, write } from '../../support/recorded';

const GET = (path: string) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;
const OK = (body: string) => `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
const PUT = (path: string, body: string) => `PUT ${path} HTTP/1.1\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

/** `id first-line body first…last → status-line body first…last [problem]`, times since T0. */
function show({ requests, responses }: Assembled): string[] {
  return requests.map(({ id, message }) => {
    const response = responses.get(id)?.message;
    const side = (each: typeof message) =>
      [
        each.startLine.replace(' HTTP/1.1', '').replace('HTTP/1.1 ', ''),
        Buffer.from(readBody(each)).toString('latin1'),
        `${each.firstByteMs - T0}…${each.lastByteMs - T0}`,
        each.problem && `[${each.problem}]`,
      ]
        .filter(Boolean)
        .join(' ');
    return `${id}: ${side(message)} → ${response ? side(response) : 'none'}`;
  });
}

test('an exchange whose response is in a later part has the times of its first and last bytes', () => {
  const seen = assemble([
    part(0, [read(0, PUT('/a', 'hello').slice(0, 20)), read(7, PUT('/a', 'hello').slice(20)), eom(7)]),
    part(1, [write(9, OK('done').slice(0, 10)), write(12, OK('done').slice(10))], { priorRequests: 1 }),
  ]);
  expect(show(seen)).toEqual(['c.0: PUT /a hello 0…7 → 200 OK done 9…12']);
  expect(Buffer.from(seen.requests[0]!.message.raw).toString()).toBe(PUT('/a', 'hello'));
  expect(findHeader(seen.requests[0]!.message, 'content-length')).toBe('5');
});

test('keep-alive and pipelined requests get their own responses, in order', () => {
  const seen = assemble([
    part(0, [read(0, GET('/a')), eom(0), write(1, OK('A'))]),
    part(1, [read(2, GET('/b') + GET('/c')), eom(2), eom(2)], { priorRequests: 1 }),
    part(2, [read(3, GET('/d')), eom(3), write(4, OK('B')), write(5, OK('C') + OK('D'))], { priorRequests: 3 }),
  ]);
  expect(show(seen)).toEqual([
    'c.0: GET /a 0…0 → 200 OK A 1…1',
    'c.1: GET /b 2…2 → 200 OK B 4…4',
    'c.2: GET /c 2…2 → 200 OK C 5…5',
    'c.3: GET /d 3…3 → 200 OK D 5…5',
  ]);
});

test('chunked bodies are read in both directions, with extensions and trailers, wherever they are cut', () => {
  const request =
    'POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\nA\r\n0123456789\r\n0\r\nT: 1\r\n\r\n';
  const response = 'HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n';
  for (const size of [1, 2, 7, 1000]) {
    const pieces = (text: string) => text.match(new RegExp(`[^]{1,${size}}`, 'g'))!;
    const seen = assemble([
      part(0, [
        ...pieces(request).map((piece) => at(0, { kind: 'readSegment', data: Buffer.from(piece) })),
        at(0, { kind: 'segmentEnd' }),
        eom(0),
        ...pieces(response + OK('never')).map((piece) => at(1, { kind: 'writeSegment', data: Buffer.from(piece) })),
      ]),
    ]);
    expect(show(seen)).toEqual(['c.0: POST /x abc0123456789 0…0 → 200 OK x 1…1']);
    expect(Buffer.from(seen.requests[0]!.message.raw).toString()).toBe(request);
    expect(seen.assembler.counts.strayBytes).toBeGreaterThan(0);
  }
});

test('HEAD, 204 and 304 have no body, whatever their headers say', () => {
  const head = 'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n';
  const seen = assemble([
    part(0, [
      ...[read(0, GET('/').replace('GET', 'HEAD')), eom(0), write(1, head)],
      ...[read(2, GET('/2')), eom(2), write(3, 'HTTP/1.1 204 No Content\r\n\r\n')],
      ...[read(4, GET('/3')), eom(4), write(5, 'HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n')],
      ...[read(6, GET('/4')), eom(6), write(7, OK('end'))],
    ]),
  ]);
  expect(show(seen)).toEqual([
    'c.0: HEAD / 0…0 → 200 OK 1…1',
    'c.1: GET /2 2…2 → 204 No Content 3…3',
    'c.2: GET /3 4…4 → 304 Not Modified 5…5',
    'c.3: GET /4 6…6 → 200 OK end 7…7',
  ]);
});

test('interim responses are none; a final response before the end of its request is one', () => {
  const put = PUT('/a', 'hello').replace('\r\n\r\n', '\r\nExpect: 100-continue\r\n\r\n');
  const seen = assemble([
    part(0, [
      ...[
        read(0, put.slice(0, -5)),
        write(1, 'HTTP/1.1 100 Continue\r\n\r\n'),
        read(2, 'hello'),
        eom(2),
        write(3, OK('1')),
      ],
      ...[read(4, PUT('/b', 'hello').slice(0, -2)), write(5, OK('early')), read(6, 'lo'), eom(6)],
      ...[read(7, GET('/c')), eom(7), write(8, OK('3'))],
    ]),
  ]);
  expect(show(seen)).toEqual([
    'c.0: PUT /a hello 0…2 → 200 OK 1 3…3',
    'c.1: PUT /b hello 4…6 → 200 OK early 5…5',
    'c.2: GET /c 7…7 → 200 OK 3 8…8',
  ]);
  // In the order of events, each is behind its request.
  const times = seen.events.map(({ kind, timeMs }) => `${kind} ${(timeMs - T0).toFixed(2)}`);
  expect(times.slice(2, 4)).toEqual(['request 6.00', 'response 6.00']);
});

test('what ends too early: a request is counted, a response has a problem, one without a length is whole', () => {
  const until = 'HTTP/1.1 200 OK\r\n\r\nall of it';
  const ends = (id: string, response: string) =>
    part(0, [read(0, GET('/')), eom(0), write(1, response), close(2)], { connectionId: id, isLast: true });
  const seen = assemble([
    ends('cut', OK('hello').slice(0, -2)),
    ends('until', until),
    part(0, [read(0, GET('/')), eom(0), read(1, PUT('/a', 'hello').slice(0, -1))], { connectionId: 'none' }),
  ]);
  expect(show(seen)).toEqual([
    'cut.0: GET / 0…0 → 200 OK hel 1…1 [its body must have 5 bytes, got 3]',
    'until.0: GET / 0…0 → 200 OK all of it 1…1',
    'none.0: GET / 0…0 → 1…1 [the connection ended before its response did]',
  ]);
  expect(seen.assembler.counts.aborted).toBe(1);
});

test('a request that was dropped on purpose is none, also where all of it was read', () => {
  const dropped = at(2, { kind: 'dropped' });
  const seen = assemble([
    part(0, [read(0, GET('/secret')), dropped, read(3, PUT('/secret', 'x').slice(0, 9)), dropped]),
    part(1, [read(4, GET('/a')), eom(4), write(5, OK('A'))]),
  ]);
  expect(show(seen)).toEqual(['c.0: GET /a 4…4 → 200 OK A 5…5']);
  expect(seen.assembler.counts.dropped).toBe(2);
});

test('what is no HTTP gets a problem, and the next request counts again', () => {
  const seen = assemble([
    part(0, [
      ...[read(0, 'GARBAGE\r\n\r\nmore'), eom(0), write(1, OK('?'))],
      ...[read(2, PUT('/cut', 'hello').slice(0, -1)), eom(2), write(3, OK('cut'))],
      ...[read(4, GET('/a')), eom(4), write(5, OK('A'))],
    ]),
  ]);
  expect(show(seen)).toEqual([
    `c.0: GARBAGE 0…0 [it must start with 'METHOD TARGET HTTP/1.1', got "GARBAGE"] → 200 OK ? 1…1`,
    'c.1: PUT /cut hell 2…2 [its body must have 5 bytes, got 4] → 200 OK cut 3…3',
    'c.2: GET /a 4…4 → 200 OK A 5…5',
  ]);
});

test('after an upgrade nothing is HTTP', () => {
  const seen = assemble([
    part(0, [read(0, GET('/ws')), eom(0), write(1, 'HTTP/1.1 101 Switching Protocols\r\n\r\n')]),
    part(1, [read(2, '\x81\x00'), write(3, '\x81\x00'), read(4, GET('/not'))]),
  ]);
  expect(show(seen)).toEqual(['c.0: GET /ws 0…0 → 101 Switching Protocols 1…1']);
});

const conversation = (): TrafficStream[] => [
  part(0, [read(0, GET('/0')), eom(0), write(1, OK('0'))]),
  part(1, [read(2, PUT('/1', 'body').slice(0, -2))], { priorRequests: 1 }),
  part(2, [read(3, 'dy'), eom(3), write(4, OK('1'))], { priorRequests: 1, wasReading: true }),
  part(3, [read(5, GET('/2')), eom(5), write(6, OK('2'))], { priorRequests: 2 }),
];
const WHOLE = [
  'c.0: GET /0 0…0 → 200 OK 0 1…1',
  'c.1: PUT /1 body 2…3 → 200 OK 1 4…4',
  'c.2: GET /2 5…5 → 200 OK 2 6…6',
];

test('parts that come late, in any order and twice make the same exchanges once', () => {
  const parts = conversation();
  const orders = [
    [3, 2, 1, 0],
    [1, 0, 3, 2],
    [0, 0, 2, 2, 1, 1, 3, 3],
    [0, 1, 2, 3, 0, 2],
  ];
  for (const order of orders) {
    const seen = assemble(order.map((n) => parts[n]!));
    expect(show(seen)).toEqual(WHOLE);
    expect(seen.assembler.counts.duplicates).toBe(order.length - 4);
    expect(seen.assembler.counts.missing).toBe(0);
  }
});

test('a part that never comes costs what was in it, and is counted', () => {
  const parts = conversation();
  const without = (n: number) => assemble(parts.filter((_, at) => at !== n));
  expect(show(without(0))).toEqual(WHOLE.slice(1));
  expect(show(without(1))).toEqual([WHOLE[0], WHOLE[2]]);
  expect(show(without(2))).toEqual([WHOLE[0], WHOLE[2]]);
  expect(show(without(3))).toEqual(WHOLE.slice(0, 2));
  expect(without(1).assembler.counts).toMatchObject({ missing: 1, duplicates: 0 });
  // It is not waited for without end.
  const others = Array.from({ length: 10 }, (_, n) => part(n, [read(10, GET('/o')), eom(10)], { connectionId: 'o' }));
  const seen = assemble([parts[0]!, parts[3]!, ...others]);
  expect(seen.requests.map(({ id }) => id).indexOf('c.2')).toBeLessThan(8);
});

test('connections that never end are bounded: by their number, by their bytes, by their silence', () => {
  const open = (n: number) => part(0, [read(n, PUT('/a', 'x'.repeat(1000)).slice(0, -1))], { connectionId: `o${n}` });
  const many = Array.from({ length: 30 }, (_, n) => open(n));
  expect(assemble(many, { maxConnections: 10 }).assembler.counts.expired).toBe(20);
  expect(assemble(many, { maxHeldBytes: 10_500 }).assembler.counts.expired).toBe(20);
  expect(assemble(many, { idleMs: 9_500, quietMs: 5_000 }).assembler.counts.expired).toBe(20);
  const large = assemble([part(0, [read(0, PUT('/a', 'x'.repeat(1000))), eom(0), write(1, OK('large'))])], {
    maxRequestBytes: 500,
  });
  expect(large.requests[0]!.message.problem).toBe('it must have at most 500 bytes, got 1041');
  expect(large.responses.get('c.0')!.message.startLine).toBe('HTTP/1.1 200 OK');
});

test('parts of our own proxy: a long response ends where it was cut, and one that was never forwarded is withdrawn', () => {
  const own = (index: number, n: number, observations: Parameters<typeof part>[1]) =>
    part(index, observations, { connectionId: 'node.7', nodeId: 'node', priorRequests: n });
  const seen = assemble([
    own(0, 0, [read(0, PUT('/a', 'x')), eom(0)]),
    own(1, 0, [write(1, OK('x'.repeat(100)).slice(0, -50))]),
    own(2, 1, [read(2, PUT('/b', 'x')), eom(2)]),
    own(3, 1, [at(3, { kind: 'dropped' })]),
    own(4, 2, [read(4, GET('/c')), eom(4)]),
    own(5, 3, [read(5, GET('/d')), eom(5), write(6, OK('D'))]),
    own(6, 4, [read(7, PUT('/e', 'x')), eom(7)]),
    own(7, 4, [write(8, OK('E'))]),
  ]);
  expect(show(seen)).toEqual([
    `node.7.0: PUT /a x 0…0 → 200 OK ${'x'.repeat(50)} 1…1 [its body must have 100 bytes, got 50]`,
    'node.7.1: PUT /b x 2…2 → none',
    'node.7.2: GET /c 4…4 → 6…6 [the connection ended before its response did]',
    'node.7.3: GET /d 5…5 → 200 OK D 6…6',
    'node.7.4: PUT /e x 7…7 → 200 OK E 8…8',
  ]);
});
