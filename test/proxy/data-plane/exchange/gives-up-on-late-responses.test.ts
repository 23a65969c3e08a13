import http from 'node:http';
import { connect, send } from '../http1/support/raw-client';
import { OK, startUpstream } from '../http1/support/raw-upstream';
import { head, startStand } from '../http1/support/rejections';
import { get, startBackend, startEngine, startRawBackend, stopAll, until } from '../../support/world';

afterEach(stopAll);

/** Nothing is given up after this before its test is over. */
const LONG_MS = 600_000;
const ASK = head('GET / HTTP/1.1', 'Host: a');

test('a response that does not begin is a 504 after its own time', async () => {
  const silent = await startRawBackend(() => undefined);
  const engine = await startEngine(silent, { timeouts: { firstByteMs: 60, upstreamIdleMs: LONG_MS } });
  expect(await get({ port: engine.port })).toMatchObject({ status: 504, body: 'idleTimeout' });
  expect(engine.outcomes).toMatchObject([{ status: 504, failure: 'idleTimeout' }]);
});

test('a head that does not end is late as well', async () => {
  const port = await startRawBackend((socket) => socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\n')));
  const engine = await startEngine(port, { timeouts: { firstByteMs: 60, upstreamIdleMs: LONG_MS } });
  expect(await get({ port: engine.port })).toMatchObject({ status: 504 });
});

test('a response that stops behind its head is another matter', async () => {
  const port = await startRawBackend((socket) => socket.once('data', () => socket.write(OK.slice(0, -1))));
  const engine = await startEngine(port, { timeouts: { firstByteMs: LONG_MS, upstreamIdleMs: 60 } });
  await expect(get({ port: engine.port })).rejects.toThrow();
  expect(engine.outcomes).toMatchObject([{ status: 200, failure: 'idleTimeout' }]);
});

test('a response may take longer than a pause within one', async () => {
  const silent = await startEngine(await startRawBackend(() => undefined), { timeouts: { firstByteMs: 300 } });
  let response: http.ServerResponse | undefined;
  const backend = await startBackend((_, responding) => (response = responding));
  const engine = await startEngine(backend.port, { timeouts: { firstByteMs: LONG_MS, upstreamIdleMs: 60 } });
  const received = get({ port: engine.port });
  await until(() => response !== undefined);
  expect(await get({ port: silent.port })).toMatchObject({ status: 504 });
  response!.end('late');
  expect(await received).toMatchObject({ status: 200, body: 'late' });
});

test('the time runs from the end of the request on', async () => {
  const upstream = await startUpstream(() => undefined);
  const stand = await startStand({ timeouts: { firstByteMs: 60, upstreamIdleMs: LONG_MS } }, upstream);
  const client = await connect(stand.engine.port);
  client.send(head('POST / HTTP/1.1', 'Host: a', 'Content-Length: 4'));
  await upstream.when(({ connections }) => connections.length === 1);
  const other = await send(stand.engine.port, ASK);
  expect(await other.statuses()).toEqual([504]);
  expect(client.received).toBe('');
  client.send('body');
  expect(await client.statuses()).toEqual([504]);
});

test('unless it is said, it is the time of a pause within a response', async () => {
  const silent = await startRawBackend(() => undefined);
  const engine = await startEngine(silent, { timeouts: { upstreamIdleMs: 60 } });
  expect(await get({ port: engine.port })).toMatchObject({ status: 504 });
});
