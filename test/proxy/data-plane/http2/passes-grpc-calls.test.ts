import {
  Metadata,
  status,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
} from '@grpc/grpc-js';
import { liveIn, startEngine, stopAll, until } from '../../support/world';
import { GrpcClient, follow, nothingYet, startGrpcServer } from './support/grpc';

afterEach(stopAll);

type Unary = (call: ServerUnaryCall<Buffer, Buffer>, response: sendUnaryData<Buffer>) => void;
type Streaming = ServerWritableStream<Buffer, Buffer>;
type Chat = ServerDuplexStream<Buffer, Buffer>;

test('a unary call, with its metadata before and behind, counts as http', async () => {
  const unary: Unary = (call, response) => {
    const trailing = new Metadata();
    trailing.set('x-late', String(call.metadata.get('x-early')[0]));
    response(null, Buffer.from(`${call.request.toString()}!`), trailing);
  };
  const engine = await startEngine(await startGrpcServer({ unary }));
  const metadata = new Metadata();
  metadata.set('x-early', 'one');
  const client = new GrpcClient(engine.port);
  const calls = Array.from({ length: 20 }, () => client.unary('hi', metadata));
  await until(() => calls.every(({ code }) => code !== undefined));
  for (const call of calls) {
    expect(call).toMatchObject({ messages: ['hi!'], code: status.OK });
    expect(call.trailing?.get('x-late')).toEqual(['one']);
  }
  await until(() => liveIn(engine.ledger) === 0);
  expect(engine.ledger.ended.http.completed).toBe(20);
  expect(engine.outcomes[0]).toMatchObject({ status: 200, kind: 'http', ending: 'completed' });
});

test('an error of the server reaches the client as it is', async () => {
  const unary: Unary = (_, response) => response({ code: status.FAILED_PRECONDITION, details: 'nicht möglich: 100 %' });
  const engine = await startEngine(await startGrpcServer({ unary }));
  const call = new GrpcClient(engine.port).unary('x');
  await until(() => call.code !== undefined);
  expect(call).toMatchObject({ code: status.FAILED_PRECONDITION, details: 'nicht möglich: 100 %' });
  await until(() => engine.ledger.ended.http.completed === 1);
});

test('streams of the server count as streams from their second message on', async () => {
  const calls: Streaming[] = [];
  const engine = await startEngine(await startGrpcServer({ serverStream: (call: Streaming) => calls.push(call) }));
  const called = follow(new GrpcClient(engine.port).serverStream('go'));
  await until(() => calls.length === 1);
  calls[0]!.write(Buffer.from('1'));
  await until(() => called.messages.length === 1);
  calls[0]!.write(Buffer.from('2'));
  await until(() => called.messages.length === 2);
  expect(engine.ledger.active.grpcStream).toBe(1);
  calls[0]!.end();
  await until(() => called.code === status.OK && liveIn(engine.ledger) === 0);
  expect(engine.ledger.ended.grpcStream.completed).toBe(1);
});

test('a stream that fell silent behind its first message is found out', async () => {
  const calls: Streaming[] = [];
  const engine = await startEngine(await startGrpcServer({ serverStream: (call: Streaming) => calls.push(call) }));
  const called = follow(new GrpcClient(engine.port).serverStream('go'));
  await until(() => calls.length === 1);
  calls[0]!.write(Buffer.from('1'));
  await until(() => engine.ledger.active.grpcStream === 1);
  calls[0]!.end();
  await until(() => called.code === status.OK);
});

test('streams of the client', async () => {
  const clientStream = (call: ServerReadableStream<Buffer, Buffer>, response: sendUnaryData<Buffer>) => {
    let bytes = 0;
    call.on('data', (message: Buffer) => (bytes += message.length));
    call.on('end', () => response(null, Buffer.from(String(bytes))));
  };
  const engine = await startEngine(await startGrpcServer({ clientStream }));
  const called = nothingYet();
  const call = new GrpcClient(engine.port).clientStream(called);
  for (let count = 0; count < 50; count += 1) call.write(Buffer.alloc(10_000));
  call.end();
  await until(() => called.code !== undefined);
  expect(called).toMatchObject({ messages: ['500000'], code: status.OK });
  await until(() => engine.ledger.ended.grpcStream.completed === 1);
});

test('both sides talk, and the client cancels', async () => {
  let cancelled = 0;
  const chat = (call: Chat) => {
    call.on('data', (message: Buffer) => call.write(Buffer.from(`${message.toString()}!`)));
    call.on('end', () => call.end());
    call.on('error', () => undefined);
    // Told of a call that is over, too.
    call.on('cancelled', () => (cancelled += 1));
  };
  const engine = await startEngine(await startGrpcServer({ chat }));
  const client = new GrpcClient(engine.port);
  const whole = client.chat();
  const got = follow(whole);
  for (const word of ['a', 'b', 'c']) {
    whole.write(Buffer.from(word));
    await until(() => got.messages.at(-1) === `${word}!`);
  }
  expect(engine.ledger.active.grpcStream).toBe(1);
  whole.end();
  await until(() => got.code === status.OK && cancelled === 1);
  const cut = client.chat();
  const gone = follow(cut);
  cut.write(Buffer.from('x'));
  await until(() => gone.messages.length === 1);
  expect(cancelled).toBe(1);
  cut.cancel();
  await until(() => cancelled === 2 && liveIn(engine.ledger) === 0);
  expect(engine.ledger.ended.grpcStream).toMatchObject({ completed: 1, forced: 1 });
});

test('a deadline of the client ends the call at the server, too', async () => {
  let cancelled = false;
  let left = 0;
  const unary: Unary = (call) => {
    left = Number(call.getDeadline()) - Date.now();
    call.on('cancelled', () => (cancelled = true));
  };
  const engine = await startEngine(await startGrpcServer({ unary }));
  const call = new GrpcClient(engine.port).unary('x', new Metadata(), 300);
  await until(() => call.code !== undefined);
  expect(call.code).toBe(status.DEADLINE_EXCEEDED);
  await until(() => cancelled && liveIn(engine.ledger) === 0);
  expect(left).toBeLessThanOrEqual(300);
});

test('messages of a slow reader wait at the server', async () => {
  const TOTAL = 200;
  let written = 0;
  const serverStream = (call: Streaming) => {
    const fill = () => {
      while (written < TOTAL) {
        written += 1;
        if (!call.write(Buffer.alloc(100_000))) return void call.once('drain', fill);
      }
      call.end();
    };
    fill();
  };
  const engine = await startEngine(await startGrpcServer({ serverStream }));
  const call = new GrpcClient(engine.port).serverStream('go');
  let received = 0;
  let code: number | undefined;
  call.on('status', (end) => (code = end.code));
  call.on('data', (message: Buffer) => {
    received += message.length;
    if (received === 100_000) call.pause();
  });
  await until(() => received === 100_000);
  let before = -1;
  // It has stopped when a while of turns brings nothing.
  await until(() => written === before || ((before = written), false));
  expect(written).toBeLessThan(TOTAL);
  call.resume();
  await until(() => code === status.OK);
  expect(received).toBe(TOTAL * 100_000);
});
