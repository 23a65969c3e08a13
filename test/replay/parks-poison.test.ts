import { setTimeout as pause } from 'node:timers/promises';
import { parseExportLine } from '../../core/capture/export-line';
import { formatParked } from '../../core/replay/parked-line';
import { assemble, at, eom, get, ok, part, partsOf, put, read, write } from '../support/recorded';
import { Backend, respondAfter, startBackend } from './recording-backend';
import { runReplay } from './run';

let backend: Backend | undefined;
afterEach(() => backend?.close());

const exchange = (n: number, request: string, connection = 'c') => ({
  ...{ connection, n, startMs: n * 10, endMs: n * 10 + 5, request, response: ok('s') },
});

test('a request that always fails is parked after its attempts, under one id, and its key goes on', async () => {
  backend = await startBackend((arrival, response) => {
    if (arrival.url === '/poison') response.statusCode = 503;
    if (arrival.url === '/reset') return void response.destroy();
    return respondAfter(response, 0);
  });
  const requests = [put('/a', '1'), put('/poison', '2'), put('/b', '3'), put('/reset', '4'), put('/c', '5')];
  const parts = partsOf([
    ...requests.map((request, n) => exchange(n, request)),
    ...requests.map((_, n) => exchange(n, get(`/${n}`), 'd')),
  ]);
  const { replay, parked, replayed } = await runReplay(parts, backend.url);
  expect(replay.counts).toMatchObject({ sent: 8, parked: 2 });
  expect(parked.map(({ request, problem }) => `${request.id} ${problem}`)).toEqual([
    'c.1 3 attempts failed, the last one with status 503',
    expect.stringMatching(/^c\.3 3 attempts failed, the last one with (socket hang up|read) ?\(?ECONNRESET/),
  ]);
  const order = backend.arrivals.filter(({ id }) => id.startsWith('c.')).map(({ id }) => id);
  expect([...new Set(order)]).toEqual(['c.0', 'c.1', 'c.2', 'c.3', 'c.4']);
  const tuple = replayed.find(({ id }) => id === 'c.1')!;
  expect(tuple).toMatchObject({ parked: parked[0]!.problem, errors: [] });
  expect(tuple.targetResponses.map(({ status }) => status)).toEqual([503, 503, 503]);
});

test('what is not whole, or none at all, is parked at once, with the record to send it again', async () => {
  backend = await startBackend((_, response) => respondAfter(response, 0));
  const parts = [
    part(0, [read(0, 'GARBAGE\r\n\r\n'), eom(0), write(1, ok('?'))]),
    part(1, [read(2, put('/cut', 'hello').slice(0, -1)), eom(2)]),
    part(2, [read(4, get('/a')), eom(4), write(5, ok('A')), at(6, { kind: 'close' })]),
  ];
  const { replay, parked } = await runReplay(parts, backend.url);
  expect(replay.counts).toMatchObject({ sent: 1, parked: 2, failed: 0 });
  expect(parked.map(({ problem }) => problem)).toEqual([
    expect.stringContaining('it must start with'),
    'it cannot be sent: its body must have 5 bytes, got 4',
  ]);
  const line = JSON.parse(formatParked(parked[1]!.request, 'why')) as { record: string };
  expect(line).toMatchObject({
    id: 'c.1',
    problem: 'why',
    request: 'PUT /cut HTTP/1.1',
    recordedAt: '2026-09-21T14:13:20.002Z',
  });
  const again = assemble([parseExportLine(line.record)]);
  expect(Buffer.from(again.requests[0]!.message.raw).toString()).toBe(put('/cut', 'hello').slice(0, -1));
  expect(again.requests[0]!.id).toBe('c.1');
});

test('a transform that fails parks the request; one that gives nothing leaves it out', async () => {
  backend = await startBackend((_, response) => respondAfter(response, 0));
  const parts = partsOf(['/a', '/throws', '/none', '/b'].map((path, n) => exchange(n, get(path))));
  const transform = (request: { path: string }) => {
    if (request.path === '/throws') throw new Error('no such tenant');
    return Promise.resolve(request.path === '/none' ? undefined : (request as never));
  };
  const { replay, parked } = await runReplay(parts, backend.url, { plan: { transforms: [transform] } });
  expect(replay.counts).toMatchObject({ sent: 2, parked: 1, skipped: 1 });
  expect(parked[0]!.problem).toBe('its transform failed: no such tenant');
});

test('a target that is away parks none: all is sent once it is there again', async () => {
  const first = await startBackend((_, response, count) =>
    count <= 20 ? respondAfter(response, 0) : void response.destroy(),
  );
  const parts = partsOf(
    Array.from({ length: 100 }, (_, n) => exchange(Math.floor(n / 10), put(`/${n}`, String(n)), `c${n % 10}`)),
  );
  const port = Number(first.url.port);
  const running = runReplay(parts, first.url, { plan: { maxInFlight: 10 } });
  while (first.arrivals.length < 30) await pause(5);
  await first.close();
  // Longer than the attempts of a request would take.
  await pause(1_500);
  backend = await startBackend((_, response) => respondAfter(response, 0), port);
  const { replay, parked, failure } = await running;
  expect(failure).toBeUndefined();
  expect(parked).toEqual([]);
  expect(replay.counts.sent).toBe(100);
  const done = new Set([...first.arrivals.slice(0, 20), ...backend.arrivals].map(({ url }) => url));
  expect(done.size).toBe(100);
});

test('a target that stays away stops the replay, and says from where to go on', async () => {
  const parts = partsOf(Array.from({ length: 10 }, (_, n) => exchange(n, put(`/${n}`, String(n)))));
  const { failure, parked, position } = await runReplay(parts, new URL('http://127.0.0.1:1'), {
    plan: { retry: { maxAttempts: 3, maxOutageMs: 500 } },
  });
  expect(failure?.message).toMatch(/^the target must respond within \d+ s, got .*ECONNREFUSED/);
  expect(parked).toEqual([]);
  expect(position.finished).toEqual([]);
});
