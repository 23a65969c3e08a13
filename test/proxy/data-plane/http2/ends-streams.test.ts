import { constants } from 'node:http2';
import { stopAll, until } from '../../support/world';
import { DATA, END_STREAM, HEADERS, frame, frameClient, headers } from './support/frames';
import { responseHead, respondWith, ask, connect, startSessions } from './support/sessions';

afterEach(stopAll);

const POST = [
  [':method', 'POST'],
  [':scheme', 'http'],
  [':path', '/'],
  [':authority', 'a'],
] as const;

test.each([0, 1, 60_000])('the upload behind a response of %d bytes is given up without an error', async (length) => {
  const { port, notified } = await startSessions();
  const client = await frameClient(port);
  client.send(headers(1, POST, false), frame(DATA, 0, 1, Buffer.from('begun')));
  await until(() => notified[0]?.upload === 'begun');
  respondWith(notified[0]!, 'n'.repeat(length), { status: 413, bodyLength: length, statedLength: length });
  await until(() => client.notified(1).includes('RST_STREAM:0'));
  const frames = client.frames.filter(({ stream }) => stream === 1);
  const data = frames.filter(({ type }) => type === DATA).map(({ payload }) => payload);
  expect(Buffer.concat(data)).toHaveLength(length);
  expect(frames.findIndex(({ flags }) => (flags & END_STREAM) !== 0)).toBe(frames.length - 2);
  await until(() => notified[0]!.isSent);
});

test('so is the one behind trailers, and behind a response of our own', async () => {
  const { port, notified } = await startSessions();
  const client = await frameClient(port);
  client.send(headers(1, POST, false), headers(3, POST, false), headers(5, POST, false));
  await until(() => notified.length === 3);
  respondWith(notified[0]!, 'body', {}, 'x-sum: 42\r\n');
  notified[1]!.client.respond({ status: 503, body: 'full\n' });
  notified[2]!.client.respond({ status: 204 });
  await until(() => [1, 3, 5].every((stream) => client.notified(stream).includes('RST_STREAM:0')));
  expect(client.notified(1)).toEqual(['HEADERS', 'DATA', 'HEADERS END', 'RST_STREAM:0']);
  expect(client.notified(3).at(-2)).toBe('DATA END');
  expect(client.notified(5)).toEqual(['HEADERS END', 'RST_STREAM:0']);
});

test('a broken response is reset, and not ended', async () => {
  const { port, notified } = await startSessions();
  const client = await frameClient(port);
  client.send(headers(1, POST, true));
  await until(() => notified.length === 1);
  notified[0]!.client.begin(responseHead());
  notified[0]!.client.write(Buffer.from('half'));
  await until(() => client.notified(1).includes('DATA'));
  notified[0]!.client.write(Buffer.alloc(300_000));
  notified[0]!.client.reset();
  await until(() => client.notified(1).some((name) => name.startsWith('RST_STREAM')));
  expect(client.notified(1).at(-1)).toBe('RST_STREAM:2');
  expect(client.frames.some(({ type, flags }) => type <= HEADERS && (flags & END_STREAM) !== 0)).toBe(false);
  expect([notified[0]!.isSent, notified[0]!.isGone]).toEqual([false, false]);
});

test.each([constants.NGHTTP2_CANCEL, constants.NGHTTP2_NO_ERROR, constants.NGHTTP2_INTERNAL_ERROR])(
  'a client that resets its upload with %d is gone, and its upload has no end',
  async (code) => {
    const { port, notified } = await startSessions();
    const session = await connect(port);
    const got = ask(session, { ':method': 'POST' }, 'open');
    got.stream.write('begun');
    await until(() => notified[0]?.upload === 'begun');
    // A client that says END_STREAM before its reset has ended its upload, so the bare frame is sent.
    const raw = await frameClient(port);
    raw.send(headers(1, POST, false), frame(DATA, 0, 1, Buffer.from('raw')));
    await until(() => notified[1]?.upload === 'raw');
    const reason = Buffer.alloc(4);
    reason.writeUInt32BE(code);
    raw.send(frame(3, 0, 1, reason));
    await until(() => notified[1]!.isGone);
    expect([notified[1]!.trailers, notified[1]!.isSent, notified[0]!.isGone]).toEqual([undefined, false, false]);
  },
);

test.each(['destroy', 'end'] as const)('a connection that goes (%s) takes its clients with it', async (how) => {
  const { port, notified, sessions } = await startSessions();
  const client = await frameClient(port);
  client.send(headers(1, POST, false), headers(3, POST, true));
  await until(() => notified.length === 2);
  notified[1]!.client.begin(responseHead());
  client.socket[how]();
  await until(() => notified.every(({ isGone }) => isGone));
  expect(notified[0]!.trailers).toBeUndefined();
  await until(() => sessions.size === 0);
});

test('calls after the client has gone do nothing', async () => {
  const { port, notified } = await startSessions();
  const client = await frameClient(port);
  client.send(headers(1, POST, false));
  await until(() => notified.length === 1);
  client.socket.destroy();
  await until(() => notified[0]!.isGone);
  const half = notified[0]!.client;
  half.inform(103, 'link: a\r\n');
  half.pauseUpload();
  half.resumeUpload();
  respondWith(notified[0]!, 'late', {}, 'x: y\r\n');
  half.respond({ status: 200 });
  half.endGrpc(14, 'late');
  half.reset();
  expect([half.isBackedUp, half.detach()]).toEqual([false, undefined]);
});

test('a client that cancels in the middle of the last bytes did not get its response', async () => {
  const { port, notified } = await startSessions();
  const session = await connect(port);
  const stream = session.request({ ':path': '/' });
  stream.on('error', () => undefined);
  await until(() => notified.length === 1);
  respondWith(notified[0]!, 'x'.repeat(2_000_000));
  await new Promise((resolve) => stream.once('readable', resolve));
  stream.close(constants.NGHTTP2_CANCEL);
  await until(() => notified[0]!.isGone);
  expect(notified[0]!.isSent).toBe(false);
});
