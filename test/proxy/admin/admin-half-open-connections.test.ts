import http, { type Server } from 'node:http';
import net from 'node:net';
import { AdminKeys } from '../../../proxy/admin-keys/admin-keys';
import { AdminTarget, startAdminServer } from '../../../proxy/admin/admin-server';
import { REPORT } from '../support/report';
import { SECRET, adminHeaders, callAdmin } from '../support/proxy-world';
import { later, stopAll, until } from '../support/world';

afterEach(stopAll);

const done = () => undefined;
const TARGET = {
  ...{ identity: 'one', report: () => REPORT, rejection: done, drain: done, undrain: done, hold: done, release: done },
  ...{
    retarget: done,
    window: () => Promise.reject(new Error('not asked')),
    probe: () => Promise.reject(new Error('not probed')),
    connections: () => ({ connections: [] }),
    transferState: () => Promise.reject(new Error('not called')),
    callBackend: () => Promise.reject(new Error('not called')),
    metrics: () => Promise.resolve({ contentType: 'text/plain', body: '' }),
  },
};

async function startAdmin(callMs: number, over: Partial<AdminTarget> = {}): Promise<number> {
  const at = { host: '127.0.0.1', port: 0 };
  const keys = new AdminKeys([SECRET]);
  const server = await startAdminServer(at, keys, { ...TARGET, ...over }, { callMs, lookMs: 20 });
  later(() => server.close());
  return server.address.port;
}

/** Opens a connection, says a part of a call and nothing more, or a little each 20 ms. */
function open(port: number, said: string, drip = ''): { isClosed: boolean } {
  const state = { isClosed: false };
  const socket = net.connect(port, '127.0.0.1', () => socket.write(said));
  const timer = setInterval(() => socket.write(drip), 20);
  socket.once('close', () => clearInterval(timer));
  later(() => void socket.destroy());
  socket.resume();
  socket.on('error', () => undefined);
  socket.on('close', () => (state.isClosed = true));
  return state;
}

const HEAD = 'GET /drain-status HTTP/1.1\r\nHost: a\r\n';

test('half a call ends in its time, whatever it lacks', async () => {
  // Node.js by itself would look for them after 30 s.
  const port = await startAdmin(200);
  const streams = [open(port, ''), open(port, HEAD), open(port, `${HEAD}Content-Length: 5\r\n\r\nab`)];
  // That something comes again and again is no more time.
  streams.push(open(port, `${HEAD}X: `, 'x'), open(port, `${HEAD}Content-Length: 50000\r\n\r\n`, 'x'));
  await until(() => streams.every(({ isClosed }) => isClosed));
});

test('a crowd of them takes no one’s place: the longest waiting are released', async () => {
  const port = await startAdmin(60_000);
  const crowd = Array.from({ length: 200 }, () => open(port, HEAD));
  await until(() => crowd.filter(({ isClosed }) => isClosed).length >= 200 - 64);
  for (let call = 0; call < 5; call += 1) {
    expect(await callAdmin(port, { path: '/drain-status' })).toMatchObject({ status: 200 });
  }
});

test('a call that is signed keeps its connection in a crowd, however long it takes', async () => {
  let reply: (() => void) | undefined;
  const port = await startAdmin(60_000, { report: () => new Promise((resolve) => (reply = () => resolve(REPORT))) });
  const call = callAdmin(port, { path: '/drain-status' });
  await until(() => reply !== undefined);
  const crowd = Array.from({ length: 200 }, () => open(port, HEAD));
  await until(() => crowd.filter(({ isClosed }) => isClosed).length >= 200 - 64);
  reply?.();
  expect(await call).toMatchObject({ status: 200 });
});

test('a response that no one reads ends in its time', async () => {
  const create = jest.spyOn(http, 'createServer');
  const metrics = () => Promise.resolve({ contentType: 'text/plain', body: 'x'.repeat(20_000_000) });
  const port = await startAdmin(200, { metrics });
  const server = create.mock.results[0]?.value as Server;
  create.mockRestore();
  const socket = net.connect(port, '127.0.0.1');
  later(() => void socket.destroy());
  socket.on('error', () => undefined);
  socket.pause();
  const fields = Object.entries(adminHeaders(port, { path: '/metrics' })).map(
    ([name, value]) => `${name}: ${value as string}\r\n`,
  );
  socket.write(`GET /metrics HTTP/1.1\r\nHost: a\r\n${fields.join('')}\r\n`);
  const connections = () => new Promise<number>((resolve) => server.getConnections((_, count) => resolve(count)));
  await until(async () => (await connections()) > 0);
  await until(async () => (await connections()) === 0);
});
