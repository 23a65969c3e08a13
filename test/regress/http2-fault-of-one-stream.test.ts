import type { Socket } from 'node:net';
import { liveIn, startBackend, startEngine, startRawBackend, stopAll, until } from '../proxy/support/world';
import {
  DATA,
  END_STREAM,
  FrameClient,
  PING,
  SETTINGS,
  frame,
  frameClient,
  headers,
} from '../proxy/data-plane/http2/support/frames';
import { Heard, startUpstreams } from '../proxy/data-plane/http2/support/upstreams';

afterEach(stopAll);

type Field = readonly [string, string];

const PRIORITY = 2;
const WINDOW_UPDATE = 8;
const PADDED = 8;
const ACK = 1;

const head = (method: string, ...more: Field[]): Field[] => [
  [':method', method],
  [':scheme', 'http'],
  [':path', '/'],
  [':authority', 'a'],
  ...more,
];

/** Fields that node:http2 leaves out in silence, so that a request is another one than was sent (RFC 9113 section 8.2.1). */
const FORBIDDEN: readonly (readonly [string, Field])[] = [
  ['a control byte in a credential', ['authorization', 'Bearer a\x01b']],
  ['NUL', ['x', 'a\0b']],
  ['CR', ['x', 'a\rb']],
  ['LF', ['x', 'a\nb']],
  ['CR LF and a field behind it', ['x', 'a\r\nevil: 1']],
  ['DEL', ['x', 'a\x7f']],
  ['a control byte in a cookie', ['cookie', 'session=\x02']],
  ['a space before it', ['x', ' b']],
  ['a space behind it', ['x', 'b ']],
  ['a tab before it', ['x', '\tb']],
  ['a tab behind it', ['x', 'b\t']],
  ['nothing but a space', ['x', ' ']],
  ['a space in its name', ['x y', 'b']],
  ['a control byte in its name', ['x\x01', 'b']],
  ['a byte in its name that is not ASCII', ['x\xe9', 'b']],
  ['a colon in its name', ['x:y', 'b']],
  ['a separator in its name', ['x(y)', 'b']],
  ['no name', ['', 'b']],
  ['a byte that no Host has', ['host', 'a/b']],
];

interface Stand {
  readonly client: FrameClient;
  /** Paths and bodies of what came to the upstream whole. */
  readonly served: string[];
  readonly refused: string[];
  readonly live: () => number;
}

async function startStand(): Promise<Stand> {
  const served: string[] = [];
  const refused: string[] = [];
  const backend = await startBackend((request, response) => {
    let body = '';
    request.on('data', (bytes: Buffer) => (body += bytes.toString('latin1')));
    request.on('end', () => {
      served.push(`${request.method} ${body}`);
      response.end('ok');
    });
  });
  const engine = await startEngine(backend.port, {
    refused: ({ status, why }) => refused.push(`${status} ${why}`),
  });
  return { client: await frameClient(engine.port), served, refused, live: () => liveIn(engine.ledger) };
}

/** The neighbour was there before, and is served after: a fault of one stream is not one of the connection. */
async function expectReset(stand: Stand, faulty: (stream: number) => Buffer[], code = 1): Promise<void> {
  const { client, served, live } = stand;
  client.send(headers(1, head('POST'), false), frame(DATA, 0, 1, Buffer.from('be')));
  client.send(...faulty(3));
  await until(() => client.notified(3).length > 0 || client.isClosed);
  client.send(frame(DATA, END_STREAM, 1, Buffer.from('fore')), headers(5, head('GET'), true));
  await until(
    () => (client.notified(1).includes('DATA END') && client.notified(5).includes('DATA END')) || client.isClosed,
  );
  expect(client.notified(3)).toEqual([`RST_STREAM:${code}`]);
  expect(client.notified(0).filter((notified) => notified.startsWith('GOAWAY'))).toEqual([]);
  await until(() => live() === 0);
  expect([...served].sort()).toEqual(['GET ', 'POST before']);
}

describe('of a client, in its head', () => {
  test.each(FORBIDDEN)('%s: the request is not served', async (_, field) => {
    const stand = await startStand();
    await expectReset(stand, (stream) => [headers(stream, head('POST', field), true)]);
    expect(stand.refused).toEqual([expect.stringMatching(/^400 The field .* has bytes that/)]);
    expect(stand.refused[0]).not.toContain('Bearer');
  });

  test('with its body and its end behind it in one read', async () => {
    const stand = await startStand();
    await expectReset(stand, (stream) => [
      headers(stream, head('POST', ['x', 'a\x01']), false),
      frame(DATA, 0, stream, Buffer.from('body')),
      frame(DATA, END_STREAM, stream, Buffer.from('end')),
    ]);
  });

  test('a field that a later request refers to is as wrong there', async () => {
    const { client, served } = await startStand();
    // RFC 7541 section 6.2.1: a literal that is kept, and then referred to.
    const kept = Buffer.from('40017803610162', 'hex');
    const usual = headers(1, head('GET'), true).subarray(9);
    client.send(
      frame(1, 5, 1, Buffer.concat([usual, kept])),
      frame(1, 5, 3, Buffer.concat([usual, Buffer.from('be', 'hex')])),
    );
    await until(() => client.notified(3).length > 0);
    expect([client.notified(1), client.notified(3), served]).toEqual([['RST_STREAM:1'], ['RST_STREAM:1'], []]);
  });
});

describe('of a client, in its trailers', () => {
  test.each(FORBIDDEN.filter(([, [name]]) => name !== 'host'))('%s: the request has no end', async (_, field) => {
    const stand = await startStand();
    await expectReset(stand, (stream) => [
      headers(stream, head('POST'), false),
      frame(DATA, 0, stream, Buffer.from('b')),
      headers(stream, [field], true),
    ]);
  });
});

test.each<[string, (stream: number) => Buffer[]]>([
  [
    'in one frame',
    (stream) => [
      headers(stream, head('POST', ['content-length', '2']), false),
      frame(DATA, END_STREAM, stream, Buffer.from('xyz')),
    ],
  ],
  [
    'in several, and more of it behind the reset',
    (stream) => [
      headers(stream, head('POST', ['content-length', '2']), false),
      ...['x', 'y', 'z', 'more'].map((text) => frame(DATA, 0, stream, Buffer.from(text))),
      frame(DATA, END_STREAM, stream),
    ],
  ],
  [
    'with padding',
    (stream) => [
      headers(stream, head('POST', ['content-length', '2']), false),
      frame(DATA, END_STREAM | PADDED, stream, Buffer.from('\x02xyz\0\0')),
    ],
  ],
  [
    'of 0 bytes',
    (stream) => [
      headers(stream, head('POST', ['content-length', '0']), false),
      frame(DATA, END_STREAM, stream, Buffer.from('x')),
    ],
  ],
  [
    'too short',
    (stream) => [
      headers(stream, head('POST', ['content-length', '5']), false),
      frame(DATA, END_STREAM, stream, Buffer.from('xyz')),
    ],
  ],
  [
    'too short, with trailers',
    (stream) => [
      headers(stream, head('POST', ['content-length', '5']), false),
      frame(DATA, 0, stream, Buffer.from('xyz')),
      headers(stream, [['x-sum', '1']], true),
    ],
  ],
])('a body that is not as long as it says, %s, costs its stream alone', async (_, faulty) => {
  await expectReset(await startStand(), faulty);
});

test('padding is no part of a body', async () => {
  const { client, served } = await startStand();
  client.send(headers(1, head('POST', ['content-length', '3']), false));
  client.send(frame(DATA, END_STREAM | PADDED, 1, Buffer.from('\x04xyz\0\0\0\0')));
  await until(() => client.notified(1).includes('DATA END'));
  expect(served).toEqual(['POST xyz']);
});

test.each<[string, number, (stream: number) => Buffer]>([
  ['a window that opens by 0', 1, (stream) => frame(WINDOW_UPDATE, 0, stream, Buffer.alloc(4))],
  ['a priority of 4 bytes', 6, (stream) => frame(PRIORITY, 0, stream, Buffer.alloc(4))],
])('%s costs its stream alone', async (_, code, fault) => {
  const stand = await startStand();
  await expectReset(stand, (stream) => [headers(stream, head('POST'), false), fault(stream)], code);
});

test('a response to a ping that was not sent is nothing', async () => {
  const { client } = await startStand();
  client.send(frame(PING, ACK, 0, Buffer.alloc(8)), headers(1, head('GET'), true));
  await until(() => client.notified(1).includes('DATA END'));
  expect(client.notified(0).filter((notified) => notified.startsWith('GOAWAY'))).toEqual([]);
});

test('what a broken stream sent is given back to the window of its connection', async () => {
  const { client } = await startStand();
  const over = Buffer.alloc(16_000);
  client.send(headers(1, head('POST', ['content-length', '1']), false));
  for (let time = 0; time < 60; time += 1) client.send(frame(DATA, 0, 1, over));
  await until(() => client.notified(1).length > 0);
  const given = () =>
    client.frames
      .filter(({ type, stream }) => type === WINDOW_UPDATE && stream === 0)
      .reduce((sum, { payload }) => sum + payload.readUInt32BE(0), 65_535 - 1024 * 1024);
  await until(() => given() >= 60 * over.length);
});

/** An upstream that responds to each request with these frames, and the one to `/good` well. */
async function ask(
  response: (stream: number) => Buffer[],
  isHead = false,
): Promise<{ bad: Heard; good: Heard; more: Heard }> {
  const sockets: Socket[] = [];
  const port = await startRawBackend((socket) => {
    sockets.push(socket);
    socket.write(frame(SETTINGS, 0, 0));
  });
  const { open } = startUpstreams({ limits: { upstreamConnections: 1 } });
  const upstream = { protocol: 'http' as const, host: '127.0.0.1', port };
  const good = open(upstream);
  const bad = open(upstream, isHead ? { method: 'HEAD' } : {});
  await until(() => sockets.length === 1);
  await new Promise((resolve) => sockets[0]!.once('data', resolve));
  const ok = (stream: number, isEnd: boolean) => headers(stream, [[':status', '200']], isEnd);
  sockets[0]!.write(Buffer.concat([ok(1, false), ...response(3)]));
  await until(() => bad.isOver || good.isOver);
  sockets[0]!.write(frame(DATA, END_STREAM, 1, Buffer.from('ok')));
  const more = open(upstream);
  await until(() => good.isOver && bad.isOver);
  sockets[0]!.write(ok(5, true));
  await until(() => more.isOver);
  return { bad, good, more };
}

function expectOneLost({ bad, good, more }: { bad: Heard; good: Heard; more: Heard }): void {
  expect(bad.failure).toEqual(['malformed', 'maybe']);
  expect([good.body, good.failure, more.head?.status]).toEqual(['ok', undefined, 200]);
}

describe('of an upstream', () => {
  test.each(FORBIDDEN)('%s in a head: the response is not passed on', async (_, field) => {
    const heard = await ask((stream) => [headers(stream, [[':status', '200'], field], true)]);
    expectOneLost(heard);
    expect(heard.bad.head).toBeUndefined();
  });

  test.each(FORBIDDEN)('%s in trailers: the response has no end', async (_, field) => {
    const heard = await ask((stream) => [
      headers(stream, [[':status', '200']], false),
      frame(DATA, 0, stream, Buffer.from('x')),
      headers(stream, [field], true),
    ]);
    expectOneLost(heard);
    expect(heard.bad.trailers).toBeUndefined();
  });

  test('an interim response that is malformed', async () => {
    expectOneLost(
      await ask((stream) => [
        headers(
          stream,
          [
            [':status', '103'],
            ['link', 'a\x01'],
          ],
          false,
        ),
      ]),
    );
  });

  test.each(['xyz', 'x'])('a body that is not as long as it says (%s)', async (body) => {
    const length: Field = ['content-length', '2'];
    const heard = await ask((stream) => [
      headers(
        stream,
        [
          [':status', '103'],
          ['content-length', '1'],
        ],
        false,
      ),
      headers(stream, [[':status', '200'], length], false),
      frame(DATA, END_STREAM, stream, Buffer.from(body)),
    ]);
    expectOneLost(heard);
    expect(heard.bad.trailers).toBeUndefined();
  });

  test('the length of a response to HEAD is that of no body', async () => {
    const length: Field = ['content-length', '2'];
    const heard = await ask(
      (stream) => [headers(stream, [[':status', '200'], length], false), frame(DATA, END_STREAM, stream)],
      true,
    );
    expect([heard.bad.failure, heard.bad.head?.statedLength]).toEqual([undefined, 2]);
  });
});
