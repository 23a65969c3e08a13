import net, { type AddressInfo, type Socket } from 'node:net';
import { takeHandle } from '../../../proxy/data-plane/transport/native';
import { HandlePipe, PipeMessage } from '../../../proxy/handover/handle-pipe';
import { tryHandlePipe } from '../../../proxy/handover/handle-pipe-check';
import { PrivateSocket, listenPrivately } from '../../../proxy/data-plane/shared/private-socket';
import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { existsSync } from 'node:fs';

let socket: PrivateSocket | undefined;
const pipes: HandlePipe[] = [];
afterEach(async () => {
  for (const pipe of pipes.splice(0)) pipe.close();
  await socket?.close();
});

async function connect(): Promise<[HandlePipe, HandlePipe]> {
  let accept: (socket: Socket) => void = () => undefined;
  const accepting = new Promise<Socket>((resolve) => (accept = resolve));
  socket = await listenPrivately((one) => accept(one));
  const from = await HandlePipe.connect(socket.path);
  const to = HandlePipe.accept(await accepting);
  pipes.push(from, to);
  return [from, to];
}

test('this Node.js gives connections over a pipe, and nothing of the trial is left', async () => {
  expect(await tryHandlePipe(10_000)).toEqual({ result: 'right' });
});

test('messages of every length arrive whole and in order, and the end behind them', async () => {
  const [from, to] = await connect();
  const lengths = [0, 1, 100, 65_535, 65_536, 1_000_000, 15_000_000];
  const came: Required<PipeMessage>[] = [];
  const ended = new Promise<void>((resolve, reject) =>
    to.start({ onMessage: (message) => came.push(message), onEnd: resolve, onFault: reject }),
  );
  let left = 0;
  for (const length of lengths) {
    const bytes = [Buffer.alloc(length, length), Buffer.from('\u00e4', 'latin1')];
    await new Promise<void>((resolve) => {
      from.send({ data: { length, text: '\u20ac' }, bytes }, () => {
        left += 1;
        resolve();
      });
    });
  }
  expect(left).toBe(lengths.length);
  from.close();
  await ended;
  expect(came.map(({ data }) => data)).toEqual(lengths.map((length) => ({ length, text: '\u20ac' })));
  for (const [index, { bytes }] of came.entries()) {
    expect(bytes[0]!.equals(Buffer.alloc(lengths[index]!, lengths[index]))).toBe(true);
    expect(bytes[1]).toEqual(Buffer.from([0xe4]));
  }
});

test('messages of one turn that are too long together arrive all the same', async () => {
  const [from, to] = await connect();
  const came: number[] = [];
  const ended = new Promise<void>((resolve, reject) =>
    to.start({ onMessage: ({ bytes }) => came.push(bytes[0]!.length), onEnd: resolve, onFault: reject }),
  );
  const length = 1_100_000;
  const left = Array.from(
    { length: 16 },
    () => new Promise<void>((resolve) => from.send({ data: {}, bytes: [Buffer.alloc(length)] }, resolve)),
  );
  await Promise.all(left);
  from.close();
  await ended;
  expect(came).toEqual(left.map(() => length));
});

test('many messages of one turn arrive one by one, each with its bytes, and leave in their order', async () => {
  const [from, to] = await connect();
  const came: Required<PipeMessage>[] = [];
  const ended = new Promise<void>((resolve, reject) =>
    to.start({ onMessage: (message) => came.push(message), onEnd: resolve, onFault: reject }),
  );
  const left: number[] = [];
  for (let number = 0; number < 100; number += 1)
    from.send({ data: { number, text: 'x'.repeat(500) }, bytes: [Buffer.from([number])] }, () => left.push(number));
  // What was sent before leaves before the end.
  from.close();
  await ended;
  const numbers = Array.from({ length: 100 }, (_, number) => number);
  expect(came.map(({ data }) => (data as { number: number }).number)).toEqual(numbers);
  expect(came.map(({ bytes }) => bytes[0]![0])).toEqual(numbers);
  expect(left).toEqual(numbers);
});

test('only this user reaches the socket, and no file of it is left', async () => {
  await connect();
  const { path } = socket!;
  expect(statSync(dirname(path)).mode & 0o777).toBe(0o700);
  await socket!.close();
  expect(existsSync(dirname(path))).toBe(false);
});

test('what is no message is reported once, and the end behind it', async () => {
  const [from, to] = await connect();
  const told: string[] = [];
  const ended = new Promise<void>((resolve) =>
    to.start({
      onMessage: () => told.push('message'),
      onEnd: resolve,
      onFault: ({ message }) => told.push(message),
    }),
  );
  const raw = from as unknown as { write(text: string, handle: undefined, left: () => void): void };
  await new Promise<void>((resolve) => raw.write('\xff'.repeat(20), undefined, resolve));
  await new Promise<void>((resolve) => raw.write('\xff'.repeat(20), undefined, resolve));
  from.close();
  await ended;
  expect(told).toEqual(['What came is no message']);
});

test('a handle that was lost on its way is never taken for that of the next message', async () => {
  const [from, to] = await connect();
  const server = net.createServer({ pauseOnConnect: true });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const accepting = new Promise<Socket>((resolve) => server.once('connection', resolve));
  const client = net.connect((server.address() as AddressInfo).port, '127.0.0.1');
  const handle = takeHandle(await accepting);
  const told: unknown[] = [];
  const ended = new Promise<void>((resolve) => {
    const user = { onMessage: ({ data }: PipeMessage) => told.push(data), onEnd: resolve };
    // All of it is there when it is read.
    setImmediate(() => to.start({ ...user, onFault: ({ message }) => told.push(message) }));
  });
  // As of a process that has no file left for the handle.
  const text = JSON.stringify([[{ is: 'first' }, [], [1]]]);
  const header = Buffer.alloc(10);
  header.writeUInt8(0xd5, 0);
  header.writeUInt32LE(text.length, 1);
  header.writeUInt8(1, 9);
  (from as unknown as { write(text: string): void }).write(header.toString('latin1') + text);
  from.send({ data: { is: 'second' }, handles: [handle] });
  from.close();
  await ended;
  expect(told).toEqual(['A message came with other handles than its own']);
  handle.close(() => undefined);
  client.destroy();
  server.close();
});
