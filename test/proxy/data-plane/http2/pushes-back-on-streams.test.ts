import { stopAll, until } from '../../support/world';
import { Notified, responseHead, ask, connect, startSessions } from './support/sessions';

afterEach(stopAll);

const PIECE = Buffer.alloc(64 * 1024, 'p');
const TOTAL = 4 * 1024 * 1024;

/** Writes while there is room; what is written is borrowed, and overwritten at once. */
function fill(one: Notified, state: { written: number }): void {
  while (!one.client.isBackedUp && state.written < TOTAL) {
    const borrowed = Buffer.from(PIECE);
    one.client.write(borrowed);
    borrowed.fill(0);
    state.written += borrowed.length;
  }
  one.client.flush();
}

test('a client that does not read is waited for, and reads on', async () => {
  const { port, notified } = await startSessions();
  const session = await connect(port);
  const stream = session.request({ ':path': '/' });
  await until(() => notified.length === 1);
  const one = notified[0]!;
  const state = { written: 0 };
  one.client.begin(responseHead());
  one.clientDrained = () => {
    fill(one, state);
    if (state.written === TOTAL && !one.client.isBackedUp) one.client.end('');
  };
  fill(one, state);
  expect(one.client.isBackedUp).toBe(true);
  expect(state.written).toBeLessThan(TOTAL);
  let received = 0;
  let others = 0;
  stream.on('data', (bytes: Buffer) => {
    received += bytes.length;
    others += bytes.filter((byte) => byte !== PIECE[0]).length;
  });
  await until(() => stream.destroyed);
  expect([received, others, stream.rstCode]).toEqual([TOTAL, 0, 0]);
  await until(() => one.isSent);
});

test('an upload that is not wanted yet stays with the client, and other streams go on', async () => {
  const { port, notified } = await startSessions({
    begin: ({ client, head }) => (head.url === '/held' ? client.pauseUpload() : undefined),
  });
  const session = await connect(port);
  const held = ask(session, { ':method': 'POST', ':path': '/held' }, 'open');
  held.stream.write(Buffer.alloc(TOTAL));
  const other = ask(session, { ':method': 'POST', ':path': '/other' }, 'x'.repeat(200_000));
  await until(() => notified[1]?.trailers === '');
  expect(notified[0]!.upload).toBe('');
  expect(held.stream.writableNeedDrain).toBe(true);
  notified[1]!.client.respond({ status: 200 });
  await until(() => other.status === 200);
  notified[0]!.client.resumeUpload();
  held.stream.end();
  await until(() => notified[0]!.trailers === '');
  expect(notified[0]!.upload).toHaveLength(TOTAL);
});

test('a client that leaves the end of its response unread is given up', async () => {
  const { port, notified } = await startSessions({ timeouts: { bodyIdleMs: 50 } });
  const session = await connect(port);
  const stream = session.request({ ':path': '/' });
  stream.on('error', () => undefined);
  await until(() => notified.length === 1);
  notified[0]!.client.begin(responseHead());
  for (let count = 0; count < 20; count += 1) notified[0]!.client.write(PIECE);
  notified[0]!.client.end('');
  await until(() => notified[0]!.isGone);
  expect(notified[0]!.isSent).toBe(false);
});

test('a paused upload does not keep a stream with a response open', async () => {
  const { port, notified } = await startSessions();
  const session = await connect(port);
  const got = ask(session, { ':method': 'POST' }, 'x'.repeat(1_000));
  await until(() => notified.length === 1);
  notified[0]!.client.pauseUpload();
  notified[0]!.client.respond({ status: 413, body: 'no\n' });
  await until(() => got.code === 0);
  await until(() => notified[0]!.isSent);
  expect(got).toMatchObject({ status: 413, body: 'no\n', isEnded: true });
});
