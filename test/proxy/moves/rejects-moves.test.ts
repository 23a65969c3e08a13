import net from 'node:net';
import type { MoveConfig } from '../../../proxy/config/config';
import type { MoveRejection, Moves } from '../../../core/moves/moves';
import { closeFrame } from '../../../proxy/data-plane/websocket/frame-scanner';
import { frame } from '../data-plane/websocket/support/peers';
import { findPort, later, startBackend, startEngine, startRawBackend, stopAll, until } from '../support/world';
import { BUILT_IN } from './support/adapters';
import {
  Client,
  MOVES,
  RawHandshake,
  Session,
  connectClient,
  startApplication,
  startMoves,
  startRaw,
} from './support/world';

afterEach(stopAll);

const DEFLATE = 'Sec-WebSocket-Extensions: permessage-deflate';
const NO_TAKEOVER = `${DEFLATE}; server_no_context_takeover; client_no_context_takeover\r\n`;
const TOKEN = 'X-Drainshift-Resume-Token: t\r\n';

interface Backend {
  readonly port: number;
  readonly handshakes: RawHandshake[];
}

/** Switches with these lines, echoes a Close and ends; or does what `then` says in its place. */
async function startSide(lines = TOKEN, then: (handshake: RawHandshake) => void = endInOrder): Promise<Backend> {
  const handshakes: RawHandshake[] = [];
  const port = await startRaw((handshake) => {
    handshakes.push(handshake);
    handshake.accept(lines);
    then(handshake);
  });
  return { port, handshakes };
}

function endInOrder({ socket, received, onData }: RawHandshake): void {
  onData(() => {
    if (received().includes(0x88)) socket.end(closeFrame(1001, '', false));
  });
}

interface Case {
  readonly moves?: Partial<MoveConfig>;
  readonly asked?: Moves;
  readonly source?: Parameters<typeof startSide>;
  readonly target?: Parameters<typeof startSide>;
  /** @default - that of a `startSide` */
  readonly targetPort?: () => Promise<number>;
  readonly client?: Parameters<typeof connectClient>[2];
  readonly path?: string;
  /** Before the order. */
  readonly first?: (client: Client, source: Backend) => Promise<void> | void;
}

async function run({ moves, asked, source, target, targetPort, client, path, first }: Case) {
  const [left, right] = [await startSide(...(source ?? [])), await startSide(...(target ?? []))];
  const port = targetPort ? await targetPort() : right.port;
  const world = await startMoves(left.port, port, { timeoutMs: 300, ...moves });
  const peer = await connectClient(world.port, path, client);
  await first?.(peer, left);
  await world.retarget('target', asked);
  await until(() => Object.keys(world.proxy.report().moves!.rejected).length > 0);
  const { rejected } = world.proxy.report().moves!;
  return { ...world, peer, left, right, rejected };
}

// Each of these leaves the connection as it was; a retarget then closes it in order, because it must not stay.
const BEFORE: [string, MoveRejection, Case][] = [
  ['its application gave no token', 'noToken', { source: ['', endInOrder] }],
  ['the order allows less than the setting', 'noToken', { source: [''], moves: { mode: 'all' }, asked: 'resumable' }],
  ['its path never moves', 'neverMoved', { moves: { never: ['/once/*'] }, path: '/Once/7?a=b' }],
  ['its query has a ticket', 'neverMoved', { moves: { never: ['/*ticket=*'] }, path: '/ws?a=b&ticket=x' }],
  ['it has a field', 'neverMoved', { moves: { never: ['x-ticket'] }, client: { headers: { 'X-Ticket': '1' } } }],
  [
    'a field of it has a value',
    'neverMoved',
    { moves: { never: ['authorization=once *'] }, client: { headers: { authorization: 'Once abc' } } },
  ],
  [
    'it compresses with a context',
    'contextTakeover',
    { source: [`${TOKEN}${DEFLATE}\r\n`], client: { perMessageDeflate: true } },
  ],
  [
    'one direction compresses with a context',
    'contextTakeover',
    {
      source: [`${TOKEN}${DEFLATE}; server_no_context_takeover\r\n`],
      client: { perMessageDeflate: { serverNoContextTakeover: true } },
    },
  ],
];

test.each(BEFORE)('before it is touched: %s', async (_, code, parts) => {
  const { proxy, peer, left, right, rejected } = await run(parts);
  expect(rejected).toEqual({ [code]: 1 });
  await until(() => peer.codes.length === 1);
  expect(peer.codes).toEqual([1012]);
  await until(() => proxy.report().ended.websocket.closed === 1);
  expect([left.handshakes.length, right.handshakes.length]).toEqual([1, 0]);
  expect(proxy.lines).toContainEqual(expect.objectContaining({ msg: 'A connection was not moved', rejection: code }));
});

const silent = () => undefined;

const GRAPHQL = 'Sec-WebSocket-Protocol: graphql-transport-ws\r\n';

/** Asks something that its backend never responds to, which no move may cut. */
async function askInVain({ socket }: Client, source: Backend): Promise<void> {
  socket.send('{"type":"subscribe","id":"1","payload":{"query":"{ slow }"}}');
  await until(() => source.handshakes[0]!.received().length > 0);
}

/** The first fragment of a message that never ends. */
async function half({ socket }: Client, source: Backend): Promise<void> {
  socket.send('half', { fin: false });
  await until(() => source.handshakes[0]!.received().length > 0);
}

const AFTER: [string, MoveRejection, Case][] = [
  ['the client does not end its message', 'midMessage', { first: half }],
  [
    'its protocol does not settle',
    'unsettled',
    {
      moves: { adapters: BUILT_IN },
      source: [GRAPHQL, silent],
      client: { protocols: ['graphql-transport-ws'] },
      first: askInVain,
    },
  ],
  ['the old backend does not end', 'noEnd', { source: [TOKEN, silent] }],
  [
    'the old backend goes on talking and does not end',
    'noEnd',
    {
      source: [
        TOKEN,
        ({ socket }) => {
          const timer = setInterval(() => socket.write(frame(1, 'more')), 5);
          socket.on('close', () => clearInterval(timer));
        },
      ],
    },
  ],
  ['the old backend breaks off', 'brokenOff', { source: [TOKEN, ({ socket, onData }) => onData(() => socket.end())] }],
  [
    'the old backend is reset',
    'brokenOff',
    { source: [TOKEN, ({ socket, onData }) => onData(() => socket.resetAndDestroy())] },
  ],
  [
    'the old backend closes within a message',
    'brokenOff',
    {
      source: [
        TOKEN,
        ({ socket, onData }) => {
          onData(() => socket.end(Buffer.concat([frame(1, 'half', { fin: false }), closeFrame(1001, '', false)])));
        },
      ],
    },
  ],
  ['the new backend is not there', 'unreachable', { targetPort: closedPort }],
  [
    'the new backend responds with 403',
    'rejected',
    { targetPort: () => respond('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n') },
  ],
  [
    'the new backend responds with 200',
    'rejected',
    { targetPort: () => respond('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi') },
  ],
  ['the new backend speaks no HTTP', 'rejected', { targetPort: () => respond('SSH-2.0-x\r\n\r\n') }],
  [
    'the new backend accepts another key',
    'rejected',
    {
      targetPort: () =>
        respond(
          'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n',
        ),
    },
  ],
  [
    'the new backend ends without a response',
    'unreachable',
    { targetPort: () => startRawBackend((socket) => socket.on('data', () => socket.end())) },
  ],
  ['the new backend does not respond', 'late', { targetPort: () => startRawBackend(silent) }],
  [
    'the new backend chooses another subprotocol',
    'otherSubprotocol',
    {
      source: [`${TOKEN}Sec-WebSocket-Protocol: a\r\n`],
      target: ['Sec-WebSocket-Protocol: b\r\n'],
      client: { protocols: ['a', 'b'] },
    },
  ],
  [
    'the new backend chooses no subprotocol',
    'otherSubprotocol',
    { source: [`${TOKEN}Sec-WebSocket-Protocol: a\r\n`], target: [''], client: { protocols: ['a', 'b'] } },
  ],
  [
    'the new backend does not compress',
    'otherExtensions',
    { source: [TOKEN + NO_TAKEOVER], target: [''], client: { perMessageDeflate: true } },
  ],
  [
    'the new backend compresses with a context',
    'otherExtensions',
    { source: [TOKEN + NO_TAKEOVER], target: [`${DEFLATE}\r\n`], client: { perMessageDeflate: true } },
  ],
  [
    'the new backend compresses, the old one did not',
    'otherExtensions',
    { target: [NO_TAKEOVER], client: { perMessageDeflate: true } },
  ],
];

/** At which nothing listens any more. */
async function closedPort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const port = findPort(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function respond(text: string): Promise<number> {
  return startRawBackend((socket) => socket.once('data', () => socket.end(text)));
}

test.each(AFTER)('after it has begun: %s', async (_, code, parts) => {
  const { proxy, peer, rejected } = await run(parts);
  expect(rejected).toEqual({ [code]: 1 });
  await until(() => peer.codes.length === 1);
  expect(peer.codes).toEqual([1012]);
  await until(() => proxy.report().active.websocket === 0);
  const { ended, carried, moves } = proxy.report();
  expect(ended.websocket).toMatchObject({ moved: 0, closed: 1, forced: 0 });
  expect([carried!.websocket, moves!.underWay]).toEqual([0, 0]);
});

test('a close in the middle of it is the end of the move', async () => {
  const [source, target] = [await startSide(), await startBackend(silent)];
  const engine = await startEngine(source.port, { moves: MOVES });
  const clients = [await connectClient(engine.port), await connectClient(engine.port)];
  const [away, joining] = [...engine.ledger.closables('websocket')];
  expect(await Promise.all([away!.movable!.leave(), joining!.movable!.leave()])).toEqual([undefined, undefined]);
  const upstream = { protocol: 'http', host: '127.0.0.1', port: target.port } as const;
  const joined = joining!.movable!.join(upstream, undefined);
  await until(() => target.sockets.size === 1);
  const closed = [away!.close(), joining!.close()];
  expect(await joined).toBe('stopped');
  expect(await away!.movable!.join(upstream, undefined)).toMatch(/^(stopped|closing)$/);
  await Promise.all(closed);
  await until(() => clients.every(({ codes }) => codes.length === 1) && target.sockets.size === 0);
  expect(clients.map(({ codes }) => codes)).toEqual([[1012], [1012]]);
  expect(engine.ledger.ended.websocket).toMatchObject({ moved: 0, closed: 2, forced: 0 });
});

test('what the old backend said before its Close reaches the client, its Close does not', async () => {
  const source = await startSide(TOKEN, ({ socket, onData }) =>
    onData(() => socket.end(Buffer.concat([frame(1, 'last words'), closeFrame(1001, 'bye', false)]))),
  );
  const target = await startSide(TOKEN, ({ socket }) => socket.write(frame(1, 'here I am')));
  const { port, retarget, proxy } = await startMoves(source.port, target.port);
  const { texts, codes } = await connectClient(port);
  await retarget('target');
  await until(() => texts.length === 2);
  expect([texts, codes]).toEqual([['last words', 'here I am'], []]);
  expect(proxy.report().carried!.websocket).toBe(1);
});

test.each([4401, 1008, 1011])('a Close %d of the old backend is its own word, and the client gets it', async (code) => {
  const source = await startSide(TOKEN, ({ socket, onData }) =>
    onData(() => socket.end(closeFrame(code, 'out', false))),
  );
  const target = await startSide();
  const { port, retarget, proxy } = await startMoves(source.port, target.port);
  const { codes } = await connectClient(port);
  await retarget('target');
  await until(() => codes.length === 1 && proxy.report().active.websocket === 0);
  expect(codes).toEqual([code]);
  expect([target.handshakes.length, proxy.report().ended.websocket.completed]).toEqual([0, 1]);
});

test('with none a retarget touches no live connection', async () => {
  const sessions = new Map<string, Session>();
  const [source, target] = [await startApplication(sessions), await startApplication(sessions)];
  const { port, retarget, proxy } = await startMoves(source.port, target.port);
  const { socket, texts, codes } = await connectClient(port);
  await retarget('target', 'none');
  socket.send('1');
  await until(() => texts.length === 1);
  const { active, moves } = proxy.report();
  expect([active.websocket, moves!.rejected, codes, source.server.clients.size]).toEqual([1, {}, [], 1]);
});

/** Sends a head, and reads. */
function say(port: number, head: string): { readonly text: () => string; readonly hasEnded: () => boolean } {
  const socket = net.connect(port, '127.0.0.1', () => socket.write(head));
  later(() => void socket.destroy());
  let text = '';
  let hasEnded = false;
  socket.on('error', () => undefined);
  socket.on('data', (chunk) => (text += chunk.toString('latin1')));
  socket.on('end', () => (hasEnded = true));
  return { text: () => text, hasEnded: () => hasEnded };
}

const upgrade = (protocol: string, lines = '') =>
  `GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${lines}\r\n`;

// No client library speaks these.
const OTHERS: [string, MoveRejection, string, string][] = [
  [
    'an extension that is not known',
    'extension',
    upgrade('websocket', 'Sec-WebSocket-Extensions: x-zip\r\n'),
    `${TOKEN}Sec-WebSocket-Extensions: x-zip\r\n`,
  ],
  [
    'a known extension beside another',
    'extension',
    upgrade('websocket', 'Sec-WebSocket-Extensions: permessage-deflate, x-zip\r\n'),
    `${TOKEN}Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover, x-zip\r\n`,
  ],
  ['a protocol whose messages are not known', 'opaque', upgrade('tcp'), ''],
];

test.each(OTHERS)('before it is touched: %s', async (_, code, head, lines) => {
  const source = await startRawBackend((socket) =>
    socket.once('data', () => {
      const accept = 'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=';
      const protocol = code === 'opaque' ? 'tcp' : `websocket\r\n${accept}`;
      socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n${lines}\r\n`);
    }),
  );
  const target = await startSide();
  const changes = { limits: { upgradeProtocols: ['tcp'] } };
  const { port, proxy, order } = await startMoves(source, target.port, { mode: 'all' }, changes);
  const { text, hasEnded } = say(port, head);
  await until(() => text().includes('101'));
  await order('/drain', {});
  await until(() => proxy.report().moves!.rejected[code] === 1);
  // In a drain it has its time.
  expect([proxy.report().active.websocket, hasEnded(), target.handshakes.length]).toEqual([1, false, 0]);
});

test('a WebSocket that is closing is left to its ends', async () => {
  const source = await startSide(TOKEN, silent);
  const target = await startSide();
  const { port, proxy, retarget } = await startMoves(source.port, target.port);
  const { socket, codes } = await connectClient(port);
  socket.close(4000);
  await until(() => source.handshakes[0]!.received().length > 0);
  await retarget('target');
  // The backend responds late, and with what it likes.
  source.handshakes[0]!.socket.end(closeFrame(4000, '', false));
  await until(() => codes.length === 1 && proxy.report().active.websocket === 0);
  const { moves, ended } = proxy.report();
  expect([codes, moves!.rejected, ended.websocket.completed, target.handshakes.length]).toEqual([[4000], {}, 1, 0]);
});
