import { WebSocket, WebSocketServer } from 'ws';
import { total } from '../../../core/proxy/connections';
import { ProxyBundle, bundleProxy, listening, logged, messages } from '../support/proxy-process';
import { callAdmin, findReport } from '../support/proxy-world';
import { startBackend, stopAll, until } from '../support/world';

let bundle: ProxyBundle;
beforeAll(() => void (bundle = bundleProxy()));
afterAll(() => bundle.remove());
afterEach(stopAll);

const SOCKETS = 24;

async function startWorkers() {
  const backend = await startBackend((_, response) => response.end('ok'));
  new WebSocketServer({ server: backend.server });
  const upstream = `http://127.0.0.1:${backend.port}`;
  const args = ['--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--upstream', upstream, '--workers', '3'];
  const proxy = bundle.run(args);
  const { port, admin } = await listening(proxy);
  const sockets = await Promise.all(Array.from({ length: SOCKETS }, () => open(port)));
  return { proxy, port, admin, sockets };
}

async function open(port: number): Promise<{ socket: WebSocket; code: Promise<number> }> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`);
  const code = new Promise<number>((resolve) => socket.once('close', resolve));
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  return { socket, code };
}

const post = (admin: number, path: string, order?: unknown) =>
  callAdmin(admin, { method: 'POST', path, body: order === undefined ? '' : JSON.stringify(order) });

test('a drain reaches the connections of all workers, and zero is the zero of all', async () => {
  const { proxy, admin, sockets } = await startWorkers();
  expect((await findReport(admin)).active.websocket).toBe(SOCKETS);
  const order = { perKindSeconds: { websocket: 0 }, closeRatePerSecond: 1000, jitter: 0 };
  expect((await post(admin, '/drain', order)).status).toBe(202);
  expect(new Set(await Promise.all(sockets.map(({ code }) => code)))).toEqual(new Set([1012]));
  let report = await findReport(admin);
  while (report.state !== 'drained') report = await findReport(admin);
  expect(total(report.active)).toBe(0);
  expect(report.ended.websocket).toEqual({ completed: 0, moved: 0, closed: SOCKETS, forced: 0 });
  await logged(proxy, /^All connections drained gracefully$/);
  // One set of lines, with the sum.
  const lines = messages(proxy).filter((msg) => msg.startsWith('Draining connections'));
  expect(
    lines.every((line) => /Draining connections: \d+ active \(0 HTTP, \d+ WebSocket, 0 streaming\)/.test(line)),
  ).toBe(true);
  expect(messages(proxy).filter((msg) => msg === 'All connections drained gracefully')).toHaveLength(1);
});

test('the progress is that of all workers; after undrain all take WebSockets again', async () => {
  const { proxy, port, admin } = await startWorkers();
  await post(admin, '/drain', { perKindSeconds: { websocket: 600 } });
  const progress = () => messages(proxy).filter((msg) => msg.startsWith('Draining connections'));
  await until(() => progress().length > 0);
  expect(progress()[0]).toMatch(`Draining connections: ${SOCKETS} active (0 HTTP, ${SOCKETS} WebSocket, 0 streaming)`);
  expect((await findReport(admin)).state).toBe('draining');
  const refused = await Promise.allSettled(Array.from({ length: 12 }, () => open(port)));
  expect(new Set(refused.map(({ status }) => status))).toEqual(new Set(['rejected']));
  expect((await post(admin, '/undrain')).status).toBe(202);
  expect((await findReport(admin)).state).toBe('serving');
  await Promise.all(Array.from({ length: 12 }, () => open(port)));
  expect((await findReport(admin)).active.websocket).toBe(SOCKETS + 12);
});
