import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { WebSocket } from 'ws';
import { Running, startBackend } from '../../../rehearsal/backend/backend';
import { readLogs } from '../../../rehearsal/backend/backends';
import { startStore } from '../../../rehearsal/backend/store';

let store: Running;
let source: Running;
let target: Running;

beforeAll(async () => {
  store = await startStore();
  source = await startBackend({ side: 'source', storeUrl: store.url });
  target = await startBackend({ side: 'target', storeUrl: store.url });
});
afterAll(() => Promise.all([source.stop(), target.stop(), store.stop()]));

const add = (backend: Running, cookie: string, item: string) =>
  fetch(`${backend.url}/cart`, { method: 'POST', headers: { cookie }, body: JSON.stringify({ item }) });

async function logIn(backend: Running): Promise<string> {
  const response = await fetch(`${backend.url}/login`, { method: 'POST' });
  return response.headers.getSetCookie()[0]?.split(';')[0] ?? '';
}

test('every response names its side', async () => {
  for (const [backend, side] of [
    [source, 'source'],
    [target, 'target'],
  ] as const) {
    for (const [path, status] of [
      ['/', 200],
      ['/cart', 401],
      ['/nowhere', 404],
    ] as const) {
      const response = await fetch(backend.url + path);
      expect([response.status, response.headers.get('x-backend')]).toEqual([status, side]);
    }
  }
});

test('a cart that was begun on one side goes on on the other, every item once and in order', async () => {
  const cookie = await logIn(source);
  const responses = await Promise.all([add(source, cookie, 'a'), add(target, cookie, 'b'), add(source, cookie, 'c')]);
  expect(responses.map(({ status }) => status)).toEqual([200, 200, 200]);
  await add(target, cookie, 'a');
  const cart = (await (await fetch(`${source.url}/cart`, { headers: { cookie } })).json()) as { items: string[] };
  expect(cart.items.toSorted()).toEqual(['a', 'a', 'b', 'c']);
});

test('an unknown session and a wrong item are rejected', async () => {
  expect((await add(source, 'shop_session=nobody', 'a')).status).toBe(401);
  const cookie = await logIn(source);
  const wrong = await fetch(`${source.url}/cart`, { method: 'POST', headers: { cookie }, body: '{"item":1}' });
  expect(wrong.status).toBe(400);
});

test('an upload comes back as length and sha256, with and without a length, up to 64 KiB', async () => {
  const body = Buffer.alloc(64 * 1024, 'x');
  const expected = { length: body.length, sha256: createHash('sha256').update(body).digest('hex') };
  const chunked = { method: 'POST', body: new Blob([body]).stream(), duplex: 'half' } as const;
  expect(await (await fetch(`${source.url}/echo`, { method: 'POST', body })).json()).toEqual(expected);
  expect(await (await fetch(`${source.url}/echo`, chunked)).json()).toEqual(expected);
  const tooLarge = await fetch(`${source.url}/echo`, { method: 'POST', body: Buffer.alloc(64 * 1024 + 1) });
  expect(tooLarge.status).toBe(413);
});

test("a client's messages are counted over both sides, and those of a connection by its resume token", async () => {
  let token = '';
  const counts = async (backend: Running, numbers: number[], headers = {}): Promise<unknown[]> => {
    const socket = new WebSocket(`${backend.url.replace('http', 'ws')}/ws/counter?client=both`, { headers });
    socket.once(
      'upgrade',
      (response: IncomingMessage) => (token = String(response.headers['x-drainshift-resume-token'])),
    );
    const responses: unknown[] = [];
    socket.on('message', (data: Buffer) => {
      if (responses.push(JSON.parse(data.toString())) === numbers.length) socket.close(1000);
    });
    await once(socket, 'open');
    for (const n of numbers) socket.send(JSON.stringify({ n }));
    await once(socket, 'close');
    return responses;
  };
  expect(await counts(source, [1, 2])).toEqual([
    { n: 1, count: 1, sequence: 1 },
    { n: 2, count: 2, sequence: 2 },
  ]);
  // Another connection is another sequence, and one that is resumed is the same.
  const offered = { 'x-drainshift-resume-token': 'of-a-proxy' };
  expect(await counts(target, [3, 4], offered)).toEqual([
    { n: 3, count: 3, sequence: 1 },
    { n: 4, count: 4, sequence: 2 },
  ]);
  expect(token).toBe('of-a-proxy');
  expect(await counts(source, [5], { 'x-drainshift-resume': token })).toEqual([{ n: 5, count: 5, sequence: 3 }]);
  for (const [client, resumed] of [
    ['both', 'nobodys'],
    ['another', token],
  ]) {
    const url = `${source.url.replace('http', 'ws')}/ws/counter?client=${client}`;
    const rejected = new WebSocket(url, { headers: { 'x-drainshift-resume': resumed } });
    const [error] = (await once(rejected, 'error')) as [Error];
    expect(error.message).toBe('Unexpected server response: 410');
  }
});

test('a clock goes on on the other side after the last event that the client saw', async () => {
  const read = async (backend: Running, lastId: number): Promise<number[]> => {
    const controller = new AbortController();
    const headers = { 'last-event-id': String(lastId) };
    const response = await fetch(`${backend.url}/clock?client=both`, { headers, signal: controller.signal });
    let text = '';
    for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      text += chunk;
      if (text.split('\n\n').length > 4) break;
    }
    controller.abort();
    return [...text.matchAll(/^id: (\d+)\n/gm)].map(([, id]) => Number(id));
  };
  const first = await read(source, 0);
  expect(first).toEqual(first.map((_, index) => index + 1));
  const last = first.at(-1) ?? 0;
  const second = await read(target, last);
  expect(second).toEqual(second.map((_, index) => last + index + 1));
});

test('each write is in the log of its own side, with its epoch, its times and the number of the response', async () => {
  const backends = { source, target };
  const put = async (side: 'source' | 'target', n: number, epoch?: number) => {
    const headers: Record<string, string> = epoch === undefined ? {} : { 'x-drainshift-epoch': String(epoch) };
    const body = JSON.stringify({ client: 'me', n });
    const response = await fetch(`${backends[side].url}/writes`, { method: 'POST', headers, body });
    return (await response.json()) as { number: number };
  };
  const first = await put('source', 1);
  const second = await put('source', 2, 0);
  const third = await put('target', 3, 7);
  expect(second.number).toBeGreaterThan(first.number);
  const log = await readLogs(store.url);
  expect(log).toMatchObject([
    { client: 'me', n: 1, side: 'source', number: first.number },
    { client: 'me', n: 2, side: 'source', number: second.number, epoch: 0 },
    { client: 'me', n: 3, side: 'target', number: third.number, epoch: 7 },
  ]);
  expect(log[0]).not.toHaveProperty('epoch');
  const times = log.flatMap(({ beganMs, endedMs }) => [beganMs, endedMs]);
  expect(times).toEqual(times.toSorted((a, b) => a - b));
  const wrong = await fetch(`${source.url}/writes`, { method: 'POST', body: '{"n":1}' });
  expect([wrong.status, await wrong.json()]).toEqual([400, { error: "'client' must be a string and 'n' a number" }]);
});
