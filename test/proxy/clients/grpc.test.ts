import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { promisify } from 'node:util';
import {
  CallOptions,
  Client,
  ClientDuplexStream,
  ClientOptions,
  ClientReadableStream,
  ClientUnaryCall,
  ClientWritableStream,
  Metadata,
  ServiceError,
  StatusObject,
  compressionAlgorithms,
  credentials,
  makeClientConstructor,
  status,
} from '@grpc/grpc-js';
import { certificateFiles } from './support/certificate-files';
import { GrpcApp, ORDERS, startGrpcApp } from './support/grpc-app';
import { untilStill } from './support/until-still';
import { ProxyCommand, problemsOnceAllIsOver, startProxyCommand, untilReported } from './support/proxy-command';
import { callAdmin, findReport } from '../support/proxy-world';
import { later, stopAll, until } from '../support/world';

type Responded = (error: ServiceError | null, message?: Buffer) => void;
type Unary = (message: Buffer, metadata: Metadata, options: CallOptions, responded: Responded) => ClientUnaryCall;
type Orders = Client & {
  readonly echo: Unary;
  readonly fails: Unary;
  readonly hangs: Unary;
  readonly absent: Unary;
  readonly count: (message: Buffer) => ClientReadableStream<Buffer>;
  readonly ticks: (message: Buffer) => ClientReadableStream<Buffer>;
  readonly collect: (responded: Responded) => ClientWritableStream<Buffer>;
  readonly chat: () => ClientDuplexStream<Buffer, Buffer>;
};

const OrdersClient = makeClientConstructor(
  { ...ORDERS, absent: { ...ORDERS.echo, path: '/shop.Orders/Absent' } },
  'Orders',
);

const MIB = 2 ** 20;

let app: GrpcApp;
let proxy: ProxyCommand;
let orders: Orders;

function parseClient(port: number, options: ClientOptions = {}): Orders {
  const client = new OrdersClient(`127.0.0.1:${port}`, credentials.createInsecure(), options) as unknown as Orders;
  later(() => client.close());
  return client;
}

beforeAll(async () => {
  app = await startGrpcApp();
  proxy = await startProxyCommand(app.port);
  orders = parseClient(proxy.port);
  await promisify(orders.waitForReady).call(orders, Date.now() + 20_000);
});
afterAll(stopAll);

interface Reply {
  readonly message: Buffer;
  readonly early: Metadata;
  readonly status: StatusObject;
}

type Named = 'echo' | 'fails' | 'hangs' | 'absent';

/** A unary call with all that came with its response; rejects with gRPC's own error. */
function ask(name: Named, message: Buffer, metadata = new Metadata(), client = orders): Promise<Reply> {
  return new Promise((resolve, reject) => {
    let [reply, early, end] = [undefined as Buffer | undefined, new Metadata(), undefined as StatusObject | undefined];
    const settle = () => {
      if (reply !== undefined && end !== undefined) resolve({ message: reply, early, status: end });
    };
    const call = client[name](message, metadata, { deadline: Infinity }, (error, got) => {
      if (error !== null) return reject(error);
      reply = got;
      settle();
    });
    call.on('metadata', (got) => (early = got));
    call.on('status', (got) => {
      end = got;
      settle();
    });
  });
}

describe('unary', () => {
  test('a call brings its response, with metadata before and behind it', async () => {
    const metadata = new Metadata();
    metadata.add('x-text', 'one');
    metadata.add('x-text', 'two');
    metadata.set('x-raw-bin', Buffer.from([0, 1, 254, 255]));
    const reply = await ask('echo', Buffer.from('hällo'), metadata);
    expect(reply.message.toString()).toBe('hällo');
    expect(reply.early.get('x-text').join(', ')).toBe('one, two');
    expect(reply.early.get('x-raw-bin')).toEqual([Buffer.from([0, 1, 254, 255])]);
    expect(reply.early.get('x-agent')).toEqual([expect.stringMatching(/^grpc-node-js\//)]);
    expect(reply.early.get('x-host')).toEqual([`127.0.0.1:${proxy.port}`]);
    expect(reply.status.code).toBe(status.OK);
    expect(reply.status.metadata.get('x-late')).toEqual(['at the end']);
    expect(reply.status.metadata.get('x-late-bin')).toEqual([Buffer.from([0, 255, 10, 13])]);
  });

  test('an error brings its code, its details and its metadata', async () => {
    const error = (await ask('fails', Buffer.alloc(0)).catch((caught: unknown) => caught)) as ServiceError;
    expect(error).toMatchObject({ code: status.FAILED_PRECONDITION, details: 'Läger leer: 100 %\nsold out' });
    expect(error.metadata.get('x-reason-bin')).toEqual([Buffer.from([1, 2, 3])]);
  });

  test('a method that the server does not have is UNIMPLEMENTED', async () => {
    await expect(ask('absent', Buffer.alloc(0))).rejects.toMatchObject({ code: status.UNIMPLEMENTED });
  });

  test.each([0, 1, 16_384, 3 * MIB])('a message of %d bytes comes back whole', async (length) => {
    const message = randomBytes(length);
    expect((await ask('echo', message)).message.equals(message)).toBe(true);
  });

  test('compressed messages pass', async () => {
    const options = { 'grpc.default_compression_algorithm': compressionAlgorithms.gzip };
    const message = Buffer.alloc(100_000, 'again and ');
    const reply = await ask('echo', message, new Metadata(), parseClient(proxy.port, options));
    expect(reply.message.equals(message)).toBe(true);
  });

  test('300 calls at a time on one connection each get their own response', async () => {
    const messages = Array.from({ length: 300 }, (_, index) => `call ${index}`);
    const replies = await Promise.all(messages.map((message) => ask('echo', Buffer.from(message))));
    expect(replies.map(({ message }) => message.toString())).toEqual(messages);
  });
});

describe('streams', () => {
  test('of the server: 2000 messages in order, then the status', async () => {
    const call = orders.count(Buffer.from('2000x10'));
    const ended = new Promise<StatusObject>((resolve) => call.once('status', resolve));
    const messages = (await call.toArray()) as Buffer[];
    expect(messages.map(String)).toEqual(Array.from({ length: 2000 }, (_, index) => String(index % 10).repeat(10)));
    expect((await ended).code).toBe(status.OK);
  });

  test('of the server: a client that does not read is waited for', async () => {
    const before = app.seen.counted;
    const call = orders.count(Buffer.from(`200x${MIB / 8}`));
    const [first] = (await once(call, 'data')) as [Buffer];
    call.pause();
    await untilStill(() => app.seen.counted);
    // Each end keeps some messages ready; what is between them is not to hold the rest.
    expect(app.seen.counted - before).toBeLessThan(100);
    const rest = (await call.toArray()) as Buffer[];
    expect([first, ...rest].map(({ length }) => length)).toEqual(Array.from({ length: 200 }, () => MIB / 8));
  });

  test('of the client: all of them are counted, then one response', async () => {
    const response = new Promise<string>((resolve, reject) => {
      const call = orders.collect((error, message) => (error === null ? resolve(String(message)) : reject(error)));
      for (let index = 0; index < 500; index += 1) call.write(Buffer.alloc(1000));
      call.end();
    });
    expect(await response).toBe('500 messages of 500000 bytes');
  });

  test('both ways: each message gets a response before the next is sent', async () => {
    const call = orders.chat();
    const heard: string[] = [];
    call.on('data', (message: Buffer) => heard.push(message.toString()));
    const ended = new Promise<StatusObject>((resolve) => call.once('status', resolve));
    for (let turn = 0; turn < 20; turn += 1) {
      call.write(Buffer.from(`hello ${turn}`));
      await until(() => heard.length === turn + 1);
      expect(heard[turn]).toBe(`you said hello ${turn}`);
    }
    call.end();
    expect((await ended).code).toBe(status.OK);
  });

  test('a client that cancels is heard at the server', async () => {
    const call = orders.ticks(Buffer.alloc(0));
    const ended = new Promise<ServiceError>((resolve) => call.once('error', resolve));
    let ticks = 0;
    call.on('data', () => (ticks += 1));
    await until(() => ticks >= 3);
    call.cancel();
    expect(await ended).toMatchObject({ code: status.CANCELLED });
    await until(() => app.seen.cancelled.includes('ticks'));
  });
});

test('a deadline reaches the server, and ends the call at both ends', async () => {
  const error = await new Promise<ServiceError | null>((resolve) => {
    orders.hangs(Buffer.alloc(0), new Metadata(), { deadline: Date.now() + 300 }, resolve);
  });
  expect(error).toMatchObject({ code: status.DEADLINE_EXCEEDED });
  await until(() => app.seen.cancelled.includes('hangs'));
  expect(app.seen.granted).toEqual([expect.closeTo(300, -3)]);
});

test('unary calls are counted as http, streams as grpcStream', async () => {
  const before = await findReport(proxy.adminPort);
  await ask('echo', Buffer.from('unary'));
  const call = orders.chat().resume();
  const ended = new Promise((resolve) => call.once('status', resolve));
  for (const word of ['one', 'two', 'three']) call.write(Buffer.from(word));
  await untilReported(proxy, ({ active }) => active.grpcStream === 1);
  call.end();
  await ended;
  await untilReported(proxy, ({ ended: { http, grpcStream } }) => {
    const more = [
      http.completed - before.ended.http.completed,
      grpcStream.completed - before.ended.grpcStream.completed,
    ];
    return String(more) === '1,1';
  });
});

test('a drain and its end cost no call', async () => {
  const calls = () => Promise.all(Array.from({ length: 40 }, () => ask('echo', Buffer.from('whole'))));
  for (const path of ['/drain', '/undrain']) {
    const [replies, notified] = await Promise.all([calls(), callAdmin(proxy.adminPort, { method: 'POST', path })]);
    expect(notified.status).toBe(202);
    for (const { message } of [...replies, ...(await calls())]) expect(message.toString()).toBe('whole');
  }
});

test('over TLS, with a certificate that the client checks', async () => {
  const { cert, flags } = await certificateFiles();
  const secure = await startProxyCommand(app.port, { flags });
  const channel = credentials.createSsl(Buffer.from(cert));
  const options = { 'grpc.ssl_target_name_override': 'localhost' };
  const client = new OrdersClient(`127.0.0.1:${secure.port}`, channel, options) as unknown as Orders;
  later(() => client.close());
  expect((await ask('echo', Buffer.from('secret'), new Metadata(), client)).message.toString()).toBe('secret');
});

test('a server that is gone is UNAVAILABLE, and nothing is left', async () => {
  app.server.forceShutdown();
  await expect(ask('echo', Buffer.alloc(0))).rejects.toMatchObject({ code: status.UNAVAILABLE });
  expect(await problemsOnceAllIsOver(proxy)).toEqual([]);
});
