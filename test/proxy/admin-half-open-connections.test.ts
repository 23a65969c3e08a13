import net from 'node:net';
import { AdminKeys } from '../../proxy/admin/admin-keys';
import { startAdminServer } from '../../proxy/admin/admin-server';
import { REPORT } from './support/report';
import { SECRET, callAdmin } from './support/proxy-world';
import { later, stopAll, until } from './support/world';

afterEach(stopAll);

const done = () => undefined;
const TARGET = {
  ...{ identity: 'one', report: () => REPORT, refusal: done, drain: done, undrain: done, hold: done, release: done },
  ...{ retarget: done, metrics: () => Promise.resolve({ contentType: 'text/plain', body: '' }) },
};

async function startAdmin(callMs: number): Promise<number> {
  const at = { host: '127.0.0.1', port: 0 };
  const server = await startAdminServer(at, new AdminKeys([SECRET]), TARGET, { callMs, lookMs: 20 });
  later(() => server.close());
  return server.address.port;
}

/** Opens a connection, says a part of a call and nothing more. */
function open(port: number, said: string): { isClosed: boolean } {
  const state = { isClosed: false };
  const socket = net.connect(port, '127.0.0.1', () => socket.write(said));
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
  const halves = [open(port, ''), open(port, HEAD), open(port, `${HEAD}Content-Length: 5\r\n\r\nab`)];
  await until(() => halves.every(({ isClosed }) => isClosed));
});

test('a crowd of them takes nobody’s place: the longest waiting are let go', async () => {
  const port = await startAdmin(60_000);
  const crowd = Array.from({ length: 200 }, () => open(port, HEAD));
  await until(() => crowd.filter(({ isClosed }) => isClosed).length >= 200 - 64);
  for (let call = 0; call < 5; call += 1) {
    expect(await callAdmin(port, { path: '/drain-status' })).toMatchObject({ status: 200 });
  }
});
