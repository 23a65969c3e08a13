import { constants } from 'node:http2';
import { stopAll, until } from '../../support/world';
import { DATA, END_STREAM, HEADERS, frame, frameClient, headers } from './support/frames';
import { answerHead, answerWith, ask, connect, startSessions } from './support/sessions';

afterEach(stopAll);

const POST = [
  [':method', 'POST'],
  [':scheme', 'http'],
  [':path', '/'],
  [':authority', 'a'],
] as const;

test.each([0, 1, 60_000])('the upload behind an answer of %d bytes is given up without an error', async (length) => {
  const { port, told } = await startSessions();
  const client = await frameClient(port);
  client.send(headers(1, POST, false), frame(DATA, 0, 1, Buffer.from('begun')));
  await until(() => told[0]?.upload === 'begun');
  answerWith(told[0]!, 'n'.repeat(length), { status: 413, bodyLength: length, statedLength: length });
  await until(() => client.told(1).includes('RST_STREAM:0'));
  const frames = client.frames.filter(({ stream }) => stream === 1);
  const data = frames.filter(({ type }) => type === DATA).map(({ payload }) => payload);
  expect(Buffer.concat(data)).toHaveLength(length);
  expect(frames.findIndex(({ flags }) => (flags & END_STREAM) !== 0)).toBe(frames.length - 2);
  await until(() => told[0]!.isSent);
});

test('so is the one behind trailers, and behind an answer of our own', async () => {
  const { port, told } = await startSessions();
  const client = await frameClient(port);
  client.send(headers(1, POST, false), headers(3, POST, false), headers(5, POST, false));
  await until(() => told.length === 3);
  answerWith(told[0]!, 'body', {}, 'x-sum: 42\r\n');
  told[1]!.client.answer({ status: 503, body: 'full\n' });
  told[2]!.client.answer({ status: 204 });
  await until(() => [1, 3, 5].every((stream) => client.told(stream).includes('RST_STREAM:0')));
  expect(client.told(1)).toEqual(['HEADERS', 'DATA', 'HEADERS END', 'RST_STREAM:0']);
  expect(client.told(3).at(-2)).toBe('DATA END');
  expect(client.told(5)).toEqual(['HEADERS END', 'RST_STREAM:0']);
});

test('a broken answer is reset, and not ended', async () => {
  const { port, told } = await startSessions();
  const client = await frameClient(port);
  client.send(headers(1, POST, true));
  await until(() => told.length === 1);
  told[0]!.client.begin(answerHead());
  told[0]!.client.write(Buffer.from('half'));
  await until(() => client.told(1).includes('DATA'));
  told[0]!.client.write(Buffer.alloc(300_000));
  told[0]!.client.reset();
  await until(() => client.told(1).some((name) => name.startsWith('RST_STREAM')));
  expect(client.told(1).at(-1)).toBe('RST_STREAM:2');
  expect(client.frames.some(({ type, flags }) => type <= HEADERS && (flags & END_STREAM) !== 0)).toBe(false);
  expect([told[0]!.isSent, told[0]!.isGone]).toEqual([false, false]);
});

test.each([constants.NGHTTP2_CANCEL, constants.NGHTTP2_NO_ERROR, constants.NGHTTP2_INTERNAL_ERROR])(
  'a client that resets its upload with %d is gone, and its upload has no end',
  async (code) => {
    const { port, told } = await startSessions();
    const session = await connect(port);
    const got = ask(session, { ':method': 'POST' }, 'open');
    got.stream.write('begun');
    await until(() => told[0]?.upload === 'begun');
    // A client that says END_STREAM before its reset has ended its upload, so the bare frame is sent.
    const raw = await frameClient(port);
    raw.send(headers(1, POST, false), frame(DATA, 0, 1, Buffer.from('raw')));
    await until(() => told[1]?.upload === 'raw');
    const reason = Buffer.alloc(4);
    reason.writeUInt32BE(code);
    raw.send(frame(3, 0, 1, reason));
    await until(() => told[1]!.isGone);
    expect([told[1]!.trailers, told[1]!.isSent, told[0]!.isGone]).toEqual([undefined, false, false]);
  },
);

test.each(['destroy', 'end'] as const)('a connection that goes (%s) takes its clients with it', async (how) => {
  const { port, told, sessions } = await startSessions();
  const client = await frameClient(port);
  client.send(headers(1, POST, false), headers(3, POST, true));
  await until(() => told.length === 2);
  told[1]!.client.begin(answerHead());
  client.socket[how]();
  await until(() => told.every(({ isGone }) => isGone));
  expect(told[0]!.trailers).toBeUndefined();
  await until(() => sessions.size === 0);
});

test('calls after the client has gone do nothing', async () => {
  const { port, told } = await startSessions();
  const client = await frameClient(port);
  client.send(headers(1, POST, false));
  await until(() => told.length === 1);
  client.socket.destroy();
  await until(() => told[0]!.isGone);
  const half = told[0]!.client;
  half.inform(103, 'link: a\r\n');
  half.pauseUpload();
  half.resumeUpload();
  answerWith(told[0]!, 'late', {}, 'x: y\r\n');
  half.answer({ status: 200 });
  half.endGrpc(14, 'late');
  half.reset();
  expect([half.isBackedUp, half.detach()]).toEqual([false, undefined]);
});

test('a client that cancels in the middle of the last bytes did not get its answer', async () => {
  const { port, told } = await startSessions();
  const session = await connect(port);
  const stream = session.request({ ':path': '/' });
  stream.on('error', () => undefined);
  await until(() => told.length === 1);
  answerWith(told[0]!, 'x'.repeat(2_000_000));
  await new Promise((resolve) => stream.once('readable', resolve));
  stream.close(constants.NGHTTP2_CANCEL);
  await until(() => told[0]!.isGone);
  expect(told[0]!.isSent).toBe(false);
});
