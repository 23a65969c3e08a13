import { stopAll, until } from '../../support/world';
import { Told, answerHead, ask, connect, startSessions } from './support/sessions';

afterEach(stopAll);

const PIECE = Buffer.alloc(64 * 1024, 'p');
const TOTAL = 4 * 1024 * 1024;

/** Writes while there is room; what is written is borrowed, and overwritten at once. */
function fill(one: Told, state: { written: number }): void {
  while (!one.client.isBackedUp && state.written < TOTAL) {
    const borrowed = Buffer.from(PIECE);
    one.client.write(borrowed);
    borrowed.fill(0);
    state.written += borrowed.length;
  }
  one.client.flush();
}

test('a client that does not read is waited for, and reads on', async () => {
  const { port, told } = await startSessions();
  const session = await connect(port);
  const stream = session.request({ ':path': '/' });
  await until(() => told.length === 1);
  const one = told[0]!;
  const state = { written: 0 };
  one.client.begin(answerHead());
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
  const { port, told } = await startSessions({
    begin: ({ client, head }) => (head.url === '/held' ? client.pauseUpload() : undefined),
  });
  const session = await connect(port);
  const held = ask(session, { ':method': 'POST', ':path': '/held' }, 'open');
  held.stream.write(Buffer.alloc(TOTAL));
  const other = ask(session, { ':method': 'POST', ':path': '/other' }, 'x'.repeat(200_000));
  await until(() => told[1]?.trailers === '');
  expect(told[0]!.upload).toBe('');
  expect(held.stream.writableNeedDrain).toBe(true);
  told[1]!.client.answer({ status: 200 });
  await until(() => other.status === 200);
  told[0]!.client.resumeUpload();
  held.stream.end();
  await until(() => told[0]!.trailers === '');
  expect(told[0]!.upload).toHaveLength(TOTAL);
});

test('a client that leaves the end of its answer unread is given up', async () => {
  const { port, told } = await startSessions({ timeouts: { bodyIdleMs: 50 } });
  const session = await connect(port);
  const stream = session.request({ ':path': '/' });
  stream.on('error', () => undefined);
  await until(() => told.length === 1);
  told[0]!.client.begin(answerHead());
  for (let count = 0; count < 20; count += 1) told[0]!.client.write(PIECE);
  told[0]!.client.end('');
  await until(() => told[0]!.isGone);
  expect(told[0]!.isSent).toBe(false);
});

test('a paused upload does not keep an answered stream open', async () => {
  const { port, told } = await startSessions();
  const session = await connect(port);
  const got = ask(session, { ':method': 'POST' }, 'x'.repeat(1_000));
  await until(() => told.length === 1);
  told[0]!.client.pauseUpload();
  told[0]!.client.answer({ status: 413, body: 'no\n' });
  await until(() => got.code === 0);
  await until(() => told[0]!.isSent);
  expect(got).toMatchObject({ status: 413, body: 'no\n', isEnded: true });
});
