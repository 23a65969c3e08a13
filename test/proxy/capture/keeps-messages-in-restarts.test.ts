import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { WebSocket, WebSocketServer } from 'ws';
import { ProxyBundle, bundleProxy } from '../support/proxy-process';
import { findReport } from '../support/proxy-world';
import { endOf, restart, startRestartable } from '../support/restart-world';
import { later, stopAll, until } from '../support/world';
import { listMessages, readEvents } from './captured';

let bundle: ProxyBundle;
beforeAll(() => void (bundle = bundleProxy()));
afterAll(() => bundle.remove());
afterEach(stopAll);

test('the record of a WebSocket goes on in the next process, with the dictionaries of its compression', async () => {
  const perMessageDeflate = { threshold: 0 };
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate });
  server.on('connection', (socket) => socket.on('message', (data: Buffer) => socket.send(`echo ${data.toString()}`)));
  await new Promise((resolve) => server.once('listening', resolve));
  later(() => new Promise<void>((resolve) => server.close(() => resolve())));
  const folder = mkdtempSync(join(bundle.folder, 'captured-'));
  const upstream = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
  const settings = { workers: 1, upstream, capture: folder, capture_websockets: 'on' };
  const { proxy, port, admin } = await startRestartable(bundle, settings);
  const socket = new WebSocket(`ws://127.0.0.1:${port}/`, { perMessageDeflate });
  const texts: string[] = [];
  socket.on('message', (data: Buffer) => texts.push(data.toString()));
  await new Promise((resolve) => socket.once('open', resolve));
  const said: string[] = [];
  const say = async () => {
    const text = `message ${said.length} of those that are like each other`;
    said.push(text);
    socket.send(text);
    await until(() => texts.length === said.length);
  };
  for (let count = 0; count < 5; count += 1) await say();
  expect(await restart({ admin })).toMatchObject({ status: 202 });
  await endOf(proxy, 1);
  for (let count = 0; count < 5; count += 1) await say();
  socket.close(1000);
  await until(async () => (await findReport(admin)).ended.websocket.completed === 1);
  // Two of each kind, and a Close of each end; those of the process that has ended are in the sum.
  await until(async () => (await findReport(admin)).capture?.webSockets?.recorded === 22);
  expect((await findReport(admin)).capture).toMatchObject({ webSockets: { lost: 0 }, lost: 0 });
  const { events, counts } = await readEvents(folder, true);
  const seen = listMessages(events);
  expect(seen.slice(0, -2)).toEqual(said.flatMap((text) => [`client text ${text}`, `backend text echo ${text}`]));
  expect(counts).toMatchObject({ missing: 0, dropped: 0, strayBytes: 0 });
});
