import { stopAll, until } from '../../support/world';
import { GET, DATA, GOAWAY, PING, frame, frameClient, headers } from './support/frames';
import { responseHead, respondWith, ask, connect, startSessions } from './support/sessions';

afterEach(stopAll);

const ACK = 1;

test.each(['http', 'https'] as const)('over %s GOAWAY comes in two steps, and streams go on', async (protocol) => {
  const { port, sessions, notified } = await startSessions({ isTls: protocol === 'https' });
  const client = await frameClient(port, protocol);
  client.send(headers(1, GET, true));
  await until(() => notified.length === 1);
  sessions.retireAll();
  sessions.retireAll();
  await until(() => client.notified(0).includes('PING'));
  const lastStreams = () =>
    client.frames.filter(({ type }) => type === GOAWAY).map(({ payload }) => payload.readUInt32BE(0));
  expect(lastStreams()).toEqual([2 ** 31 - 1]);
  // What was on its way is still served.
  client.send(headers(3, GET, true));
  await until(() => notified.length === 2);
  const { payload } = client.frames.find(({ type }) => type === PING)!;
  client.send(frame(PING, ACK, 0, payload));
  await until(() => lastStreams().length === 2);
  expect(lastStreams()[1]).toBe(3);
  respondWith(notified[0]!, 'one');
  respondWith(notified[1]!, 'two');
  await until(() => client.isClosed);
  const bodies = client.frames.filter(({ type }) => type === DATA).map(({ payload: data }) => data.toString());
  expect(bodies.join('')).toBe('onetwo');
  expect(
    client.frames.filter(({ type }) => type === GOAWAY).every(({ payload: end }) => end.readUInt32BE(4) === 0),
  ).toBe(true);
  client.socket.end();
  await until(() => sessions.size === 0);
});

test('a client that does not close its connection does not keep it', async () => {
  const { port, sessions } = await startSessions({ timeouts: { bodyIdleMs: 50 } });
  const client = await frameClient(port);
  await until(() => sessions.size === 1);
  sessions.retireAll();
  await until(() => client.notified(0).includes('PING'));
  const { payload } = client.frames.find(({ type }) => type === PING)!;
  client.send(frame(PING, ACK, 0, payload));
  await until(() => sessions.size === 0);
});

test('a session that came during the drain goes with its first response', async () => {
  const { port, notified, setDraining } = await startSessions();
  setDraining();
  const session = await connect(port);
  const got = ask(session, {});
  await until(() => notified.length === 1);
  expect(session.closed).toBe(false);
  respondWith(notified[0]!, 'late');
  await until(() => session.destroyed);
  expect(got).toMatchObject({ status: 200, body: 'late', isEnded: true });
});

test('an idle session goes at once', async () => {
  const { port, sessions } = await startSessions();
  const session = await connect(port);
  sessions.retireAll();
  await until(() => session.destroyed && sessions.size === 0);
});

const CALL = { ':method': 'POST', 'content-type': 'application/grpc', te: 'trailers' };

test('a gRPC call that has its response begun ends with a status in its trailers', async () => {
  const { port, notified } = await startSessions();
  const got = ask(await connect(port), CALL, 'open');
  await until(() => notified.length === 1);
  expect(notified[0]!.head.isGrpc).toBe(true);
  notified[0]!.client.begin(responseHead({ fields: 'content-type: application/grpc\r\n' }));
  notified[0]!.client.write(Buffer.from('message'));
  notified[0]!.client.endGrpc(14, 'moved: 100 %');
  await until(() => got.code !== undefined);
  expect(got).toMatchObject({ status: 200, body: 'message', code: 0 });
  expect(got.trailers).toMatchObject({ 'grpc-status': '14', 'grpc-message': 'moved: 100 %25' });
  await until(() => notified[0]!.isSent);
});

test('a gRPC call without a response gets the status alone', async () => {
  const { port, notified } = await startSessions();
  const session = await connect(port);
  const ended = ask(session, CALL, 'open');
  await until(() => notified.length === 1);
  notified[0]!.client.endGrpc(14, '');
  const failed = ask(session, CALL, 'x');
  await until(() => notified.length === 2);
  notified[1]!.client.respond({ status: 503, headers: { 'retry-after': '1' }, body: 'No upstream\n' });
  await until(() => ended.code !== undefined && failed.code !== undefined);
  for (const got of [ended, failed]) {
    expect(got).toMatchObject({ status: 200, body: '', code: 0 });
    expect(got.headers).toMatchObject({ 'content-type': 'application/grpc', 'grpc-status': '14' });
  }
  expect(failed.headers).toMatchObject({ 'grpc-message': 'No upstream', 'retry-after': '1' });
});
