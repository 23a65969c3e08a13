import { constants } from 'node:http2';
import net from 'node:net';
import { status, type ServerUnaryCall, type ServerWritableStream, type sendUnaryData } from '@grpc/grpc-js';
import { liveIn, findPort, startBackend, startEngine, stopAll, until } from '../../support/world';
import { GrpcClient, follow, startGrpcServer } from './support/grpc';
import { startHttp2Backend, startRelay } from './support/upstreams';

afterEach(stopAll);

type Streaming = ServerWritableStream<Buffer, Buffer>;

async function deadPort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const port = findPort(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

test('no upstream is UNAVAILABLE, and says why', async () => {
  const engine = await startEngine(await deadPort());
  const call = new GrpcClient(engine.port).unary('x');
  await until(() => call.code !== undefined);
  expect(call).toMatchObject({ code: status.UNAVAILABLE, details: 'connectRefused' });
  await until(() => engine.outcomes.length === 1);
  expect(engine.outcomes[0]).toMatchObject({ status: 502, kind: 'http', failure: 'connectRefused' });
});

test('an upstream that speaks no HTTP/2 is UNAVAILABLE', async () => {
  const backend = await startBackend((_, response) => response.end('1.1'));
  const engine = await startEngine(backend.port);
  const call = new GrpcClient(engine.port).unary('x');
  await until(() => call.code !== undefined);
  expect(call).toMatchObject({ code: status.UNAVAILABLE, details: 'malformed' });
});

test('what the route responds with is reported as a status', async () => {
  const engine = await startEngine(1, { decide: () => ({ response: { status: 503, body: 'draining\n' } }) });
  const call = new GrpcClient(engine.port).unary('x');
  await until(() => call.code !== undefined);
  expect(call).toMatchObject({ code: status.UNAVAILABLE, details: 'draining' });
});

test('a call that crosses the end of its connection is made again', async () => {
  const backend = await startHttp2Backend((stream) => {
    const isSecond = backend.streams.length === 2;
    if (isSecond) return stream.session?.goaway(constants.NGHTTP2_NO_ERROR, stream.id! - 2);
    stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '0' }, { endStream: true });
  });
  const engine = await startEngine(backend.upstream.port);
  const client = new GrpcClient(engine.port);
  for (const done of [1, 2]) {
    client.unary('x');
    await until(() => engine.outcomes.length === done);
  }
  expect([backend.sessions.length, backend.streams.length]).toEqual([2, 3]);
  expect(engine.outcomes[1]).toMatchObject({ status: 200, ending: 'completed' });
});

test('a stream whose upstream is lost is broken off for the client', async () => {
  const calls: Streaming[] = [];
  const relay = await startRelay(await startGrpcServer({ serverStream: (call: Streaming) => calls.push(call) }));
  const engine = await startEngine(relay.port);
  const called = follow(new GrpcClient(engine.port).serverStream('go'));
  await until(() => calls.length === 1);
  for (const word of ['1', '2']) calls[0]!.write(Buffer.from(word));
  await until(() => called.messages.length === 2);
  relay.cut();
  await until(() => called.code !== undefined);
  expect(called.code).not.toBe(status.OK);
  await until(() => liveIn(engine.ledger) === 0);
  expect(engine.outcomes[0]).toMatchObject({ kind: 'grpcStream', ending: 'forced', failure: 'reset' });
});

test('a drain ends a stream between two messages, with a status that makes its client come back', async () => {
  const calls: Streaming[] = [];
  let cancelled = false;
  const serverStream = (call: Streaming) => {
    calls.push(call);
    call.on('cancelled', () => (cancelled = true));
  };
  const engine = await startEngine(await startGrpcServer({ serverStream }));
  const called = follow(new GrpcClient(engine.port).serverStream('go'));
  await until(() => calls.length === 1);
  for (const word of ['1', '2']) calls[0]!.write(Buffer.from(word));
  await until(() => called.messages.length === 2);
  engine.plane.setDraining(true);
  for (const one of engine.ledger.closables('grpcStream')) await one.close();
  await until(() => called.code !== undefined);
  expect(called).toMatchObject({ messages: ['1', '2'], code: status.UNAVAILABLE });
  await until(() => cancelled && liveIn(engine.ledger) === 0);
  expect(engine.ledger.ended.grpcStream).toMatchObject({ closed: 1, forced: 0 });
});

test('calls that run when a drain begins get a response', async () => {
  const responses: (() => void)[] = [];
  const unary = (call: ServerUnaryCall<Buffer, Buffer>, response: sendUnaryData<Buffer>) =>
    void responses.push(() => response(null, call.request));
  const engine = await startEngine(await startGrpcServer({ unary }));
  const client = new GrpcClient(engine.port);
  const running = [client.unary('a'), client.unary('b')];
  await until(() => responses.length === 2);
  engine.plane.setDraining(true);
  // Its client goes to a new connection, which is told to go with its response.
  const next = client.unary('c');
  await until(() => responses.length === 3);
  for (const response of responses) response();
  await until(() => [...running, next].every(({ code }) => code !== undefined));
  expect([...running, next].map(({ code, messages }) => [code, messages[0]])).toEqual([
    [0, 'a'],
    [0, 'b'],
    [0, 'c'],
  ]);
});
