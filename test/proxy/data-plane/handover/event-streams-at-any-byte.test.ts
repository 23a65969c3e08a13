import net, { type Socket } from 'node:net';
import type { Forward } from '../../../../proxy/data-plane/contract/data-plane';
import { STAY_REASONS, type PackedData, type StayReason } from '../../../../proxy/data-plane/contract/handover';
import { type Engine, later, startEngine, startRawBackend, stopAll, until } from '../../support/world';

afterEach(stopAll);

const CHUNKED = 'Transfer-Encoding: chunked\r\n';
const HEAD = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n';
const EVENTS =
  '\ufeff: hi\r\nid: 1\ndata: one\n\nid:2\rdata: two\r\rretry: 5\n\ni: x\nid\ndata\n\nid: 4\ndata: four\n\n';

/** As the upstream writes it: a size with zeros, extensions, and a trailer. */
function encode(text: string): string {
  const bytes = Buffer.from(text).toString('latin1');
  const chunks = bytes.match(/[^]{1,13}/g)!.map((part) => `0${part.length.toString(16)};a="b \\" c";d\r\n${part}\r\n`);
  return `${chunks.join('')}0\r\nX-Last: yes\r\n\r\n`;
}

/** What the chunks of a client say, and what is behind the last one. */
function decode(text: string): { body: string; rest: string } {
  let body = '';
  for (let at = 0; ;) {
    const end = text.indexOf('\r\n', at);
    const size = parseInt(text.slice(at, end), 16);
    if (size === 0) return { body, rest: text.slice(end + 2) };
    body += text.slice(end + 2, end + 2 + size);
    at = end + 2 + size + 2;
  }
}

const noStays = () => Object.fromEntries(STAY_REASONS.map((reason) => [reason, 0])) as Record<StayReason, number>;
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

interface Scene {
  readonly engines: readonly [Engine, Engine];
  readonly client: Socket;
  readonly received: () => string;
  readonly upstream: Socket;
  /** From the engine that has them to the other one, as JSON has them. @returns how many */
  swap(): number;
}

interface Asked {
  readonly head: string;
  readonly socket: Socket;
}

async function startUpstream(): Promise<{ readonly port: number; readonly asked: readonly Asked[] }> {
  const asked: Asked[] = [];
  const port = await startRawBackend((socket) =>
    socket.once('data', (head) => asked.push({ head: head.toString('latin1'), socket })),
  );
  return { port, asked };
}

/** Two planes of one process, which pass connections to each other. */
async function startScene(request: string): Promise<Scene> {
  const { port, asked } = await startUpstream();
  const forward = (): Forward => ({
    upstream: { protocol: 'http' as const, host: '127.0.0.1', port },
    record: () => ({}),
  });
  const moves = { mode: 'all' as const, timeoutMs: 10_000, never: [], dropsContextTakeover: false };
  const options = { decide: () => ({ forward: forward() }), resumeForward: forward, moves };
  const engines = [await startEngine(port, options), await startEngine(port, options)] as const;
  await until(() => engines.every(({ plane }) => plane.fastPath === 'on'));
  const client = net.connect({ port: engines[0].port, host: '127.0.0.1', allowHalfOpen: true });
  later(() => void client.destroy());
  let text = '';
  client.on('data', (bytes) => (text += bytes.toString('latin1')));
  client.on('error', () => undefined);
  client.write(request);
  await until(() => asked.length > 0);
  const { socket: upstream } = asked[0]!;
  let owner = 0;
  const swap = () => {
    const [from, to] = [engines[owner]!, engines[1 - owner]!];
    const packed = [...from.plane.handing.departures(noStays())];
    for (const { data, bytes, handles } of packed) {
      const said = JSON.parse(JSON.stringify(data)) as PackedData;
      // Of both processes it is one handle here: the first one must not close it.
      to.plane.handing.arrive({ data: said, bytes: bytes.map((each) => Buffer.from(each)), handles }).begin();
    }
    if (packed.length > 0) owner = 1 - owner;
    return packed.length;
  };
  return { engines, client, received: () => text, upstream, swap };
}

async function sendByteByByte({ upstream, swap }: Pick<Scene, 'upstream' | 'swap'>, text: string): Promise<number> {
  let swaps = 0;
  for (const byte of Buffer.from(text, 'latin1')) {
    upstream.write(Buffer.from([byte]));
    await turn();
    await turn();
    swaps += swap();
  }
  return swaps;
}

describe('event streams go over at any byte', () => {
  test.each([
    ['GET', 'GET /events HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['absolute targets', 'GET http://a/events HTTP/1.1\r\nHost: a\r\nLast-Event-ID: 0\r\n\r\n'],
    ['POST', 'POST /events HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi'],
  ])('in chunks, with the next request already there (%s)', async (_, request) => {
    const scene = await startScene(request);
    const body = encode(EVENTS);
    scene.upstream.write(`${HEAD}${CHUNKED}\r\n`);
    await until(() => scene.received().includes('\r\n\r\n'));
    scene.client.write('GET /next HTTP/1.1\r\nHost: a\r\n\r\n');
    scene.upstream.once('data', () => undefined);
    const swaps = await sendByteByByte(scene, body.slice(0, -3));
    expect(swaps).toBeGreaterThan(0.9 * body.length);
    const next = new Promise<string>((resolve) => scene.upstream.once('data', (bytes) => resolve(bytes.toString())));
    scene.upstream.write(body.slice(-3));
    // Both connections serve the next request where they are now.
    expect(await next).toMatch(/^GET \/next HTTP/);
    scene.upstream.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    await until(() => scene.received().endsWith('\r\n\r\nok'));
    const [, ...parts] = scene.received().split(/\r\n\r\n/);
    const { body: sent, rest } = decode(parts.join('\r\n\r\n'));
    expect(Buffer.from(sent, 'latin1').toString()).toBe(EVENTS);
    expect(rest).toMatch(/^x-last: yes\r\n\r\nHTTP\/1.1 200 OK\r\n/i);
  });

  test('that end with their connection, to a client of HTTP/1.0', async () => {
    const scene = await startScene('GET /events HTTP/1.0\r\nHost: a\r\n\r\n');
    scene.upstream.write(`${HEAD}\r\n`);
    await until(() => scene.received().includes('\r\n\r\n'));
    const bytes = Buffer.from(EVENTS).toString('latin1');
    const swaps = await sendByteByByte(scene, bytes);
    expect(swaps).toBeGreaterThan(0.9 * bytes.length);
    const ended = new Promise<void>((resolve) => scene.client.once('end', resolve));
    scene.upstream.end();
    await ended;
    expect(scene.received().split('\r\n\r\n').slice(1).join('\r\n\r\n')).toBe(bytes);
  });

  test('a response that is malformed behind that is cut there, and not ended', async () => {
    const scene = await startScene('GET /events HTTP/1.1\r\nHost: a\r\n\r\n');
    scene.upstream.write(`${HEAD}${CHUNKED}\r\n`);
    await until(() => scene.received().includes('\r\n\r\n'));
    await sendByteByByte(scene, '4\r\ndata');
    const closed = new Promise<void>((resolve) => scene.client.once('close', () => resolve()));
    scene.upstream.write('no end of a chunk');
    await closed;
    expect(scene.received()).not.toContain('\r\n0\r\n');
    await until(() => scene.engines.some(({ ledger }) => ledger.ended.serverSentEvents.forced === 1));
  });

  test('that move to another upstream go on there, and are moved once more: no gap, and no event twice', async () => {
    const scene = await startScene('GET /events?a=b HTTP/1.1\r\nHost: a\r\nCookie: c=d\r\nLast-Event-ID: 0\r\n\r\n');
    const [second, third] = [await startUpstream(), await startUpstream()];
    const { engines, received, swap } = scene;
    scene.upstream.write(`${HEAD}\r\n`);
    await until(() => received().includes('\r\n\r\n'));
    await sendByteByByte(scene, 'id: 1\ndata: a\n\nid: 1\ndata: b\n\nid: 2\nda');
    const moveFrom = async (from: Socket, { port, asked }: Awaited<ReturnType<typeof startUpstream>>) => {
      const live = engines.flatMap(({ ledger }) => [...ledger.closables('serverSentEvents')]);
      const { movable } = live.find((each) => each.movable !== undefined)!;
      const left = movable!.leave();
      expect(swap()).toBe(0);
      from.write('ta: c\n\nid: 3\ndata: never passed');
      expect(await left).toBeUndefined();
      const joined = movable!.join({ protocol: 'http', host: '127.0.0.1', port }, 7);
      await until(() => asked.length > 0);
      expect(swap()).toBe(0);
      const { head, socket } = asked[0]!;
      socket.write(`${HEAD}\r\n`);
      expect(await joined).toHaveProperty('stallMs');
      return { head, upstream: socket };
    };
    const { head, upstream } = await moveFrom(scene.upstream, second);
    expect(head).toMatch(/^GET \/events\?a=b HTTP\/1.1\r\n/);
    expect(head).toMatch(/cookie: c=d\r\n/i);
    expect(head.match(/last-event-id: .*/gi)).toEqual(['last-event-id: 2']);
    const [token] = /x-drainshift-resume: .*/.exec(head)!;
    expect(token).toBeDefined();
    // It begins with the event that it was to go on after.
    expect(
      await sendByteByByte({ upstream, swap }, ': hi\n\nid: 2\ndata: c\n\nid: 3\ndata: d\n\nid: 4\nda'),
    ).toBeGreaterThan(40);
    const again = await moveFrom(upstream, third);
    expect(again.head.match(/last-event-id: .*/gi)).toEqual(['last-event-id: 4']);
    expect(again.head).toContain(token);
    await sendByteByByte({ upstream: again.upstream, swap }, 'id: 5\ndata: e\n\n');
    await until(() => received().includes('data: e'));
    const { body } = decode(`${received().split('\r\n\r\n').slice(1).join('\r\n\r\n')}0\r\n\r\n`);
    expect(body.replace(/: hi\n\n/, '')).toBe(
      'id: 1\ndata: a\n\nid: 1\ndata: b\n\nid: 2\ndata: c\n\nid: 3\ndata: d\n\nid: 4\ndata: c\n\nid: 5\ndata: e\n\n',
    );
  });
});
