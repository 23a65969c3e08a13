import { stopAll, until } from '../../support/world';
import { GET, PING, RST_STREAM, SETTINGS, frame, frameClient, headers } from './support/frames';
import { Notified, ask, connect, startSessions } from './support/sessions';

afterEach(stopAll);

const begin = ({ client, head }: Notified) => (head.url === '/' ? undefined : client.respond({ status: 200 }));

test('streams over the limit are rejected, and may be asked for again', async () => {
  const { port, notified } = await startSessions({ limits: { concurrentStreams: 2 } });
  const client = await frameClient(port);
  client.send(...[1, 3, 5].map((id) => headers(id, GET, true)));
  await until(() => client.notified(5).length > 0);
  expect([client.notified(1), client.notified(3), client.notified(5)]).toEqual([[], [], ['RST_STREAM:7']]);
  expect(notified).toHaveLength(2);
});

test('a client that opens streams and resets them at once is sent away (CVE-2023-44487)', async () => {
  const { port, notified } = await startSessions({ begin });
  const client = await frameClient(port);
  const cancel = Buffer.from([0, 0, 0, 8]);
  for (let id = 1; id < 2 * 3_000; id += 2) client.send(headers(id, GET, true), frame(RST_STREAM, 0, id, cancel));
  await until(() => client.isClosed);
  expect(client.notified(0).some((name) => name.startsWith('GOAWAY'))).toBe(true);
  expect(notified.length).toBeLessThan(2_000);
  await until(() => notified.every(({ isGone }) => isGone));
});

test.each([
  ['pings', () => frame(PING, 0, 0, Buffer.alloc(8))],
  ['settings', () => frame(SETTINGS, 0, 0, Buffer.from([0, 3, 0, 0, 0, 100]))],
])('a client that floods with %s and reads nothing is sent away', async (_, flood) => {
  const { port, sessions } = await startSessions({ begin });
  const client = await frameClient(port);
  await until(() => sessions.size === 1);
  client.socket.pause();
  const packet = Buffer.concat(Array.from({ length: 5_000 }, flood));
  const more = () => {
    while (sessions.size > 0 && client.socket.writable && client.socket.write(packet));
  };
  client.socket.on('drain', more);
  more();
  await until(() => sessions.size === 0);
});

test('bytes that are no HTTP/2 end their connection, and no other', async () => {
  const { port, sessions } = await startSessions({ begin });
  const good = await connect(port);
  const client = await frameClient(port);
  await until(() => sessions.size === 2);
  client.socket.write(Buffer.alloc(1_000, 0xff));
  await until(() => client.isClosed && sessions.size === 1);
  const got = ask(good, { ':path': '/ok' });
  await until(() => got.status === 200);
});

test('an idle session is closed, but not under an open stream', async () => {
  const { port, sessions, notified } = await startSessions({ begin, timeouts: { clientIdleMs: 100 } });
  const idle = await connect(port);
  const busy = await connect(port);
  const got = ask(busy, {});
  await until(() => idle.closed && sessions.size === 1);
  const later = await connect(port);
  await until(() => later.closed && sessions.size === 1);
  expect(got.code).toBeUndefined();
  notified[0]!.client.respond({ status: 200 });
  await until(() => got.status === 200 && sessions.size === 0);
});
