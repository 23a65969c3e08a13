import { Client, credentials, Metadata, status, type ServiceError } from '@grpc/grpc-js';
import { crc32 } from 'node:zlib';
import { HOST, pause } from '../../processes/ports';
import type { ClientSetup } from './client';
import type { Door } from '../proxy/door';
import { buildPattern, SILENCE_MS, type Outcome } from '../account/faults';
import { METHODS, type Method } from '../upstream/grpc-methods';

const SIZES = [0, 1, 1000, 16_384, 100_000];
/** Far more than a drain waits for. */
const ENDLESS = 1_000_000;

const trusting = credentials.createSsl(null, null, null, { rejectUnauthorized: false });

/** What a call brought before its end: all its messages, and an error unless it ended with status 0. */
interface Called {
  readonly messages: readonly Buffer[];
  readonly error: ServiceError | undefined;
}

/** Unary calls, in turn or at once, on one connection. */
export async function callUnary(cloud: ClientSetup): Promise<void> {
  await withClient(cloud.door, async (client) => {
    for (let left = cloud.chance.between(1, 4); left > 0 && cloud.goesOn(); left -= 1) {
      await Promise.all(Array.from({ length: cloud.chance.between(1, 4) }, () => echoOne(cloud, client)));
    }
  });
}

async function echoOne(cloud: ClientSetup, client: Client): Promise<void> {
  const sentMs = performance.now();
  const message = buildPattern(cloud.nextId(), cloud.chance.of(SIZES));
  if (cloud.chance.share() < 0.2) return failOne(cloud, client);
  const called = await call(client, METHODS.Echo, [message]);
  const outcome = findOutcome(called, ({ messages: [echoed] }) => echoed?.equals(message) === true);
  cloud.account.settle('gRPC unary call', outcome, ['right', ...cloud.goaway], sentMs, called.error?.message);
}

/** The backend's own status and reason must come through. */
async function failOne({ account, goaway, nextId }: ClientSetup, client: Client): Promise<void> {
  const sentMs = performance.now();
  const reason = `no ${nextId()} here: 100 %`;
  const called = await call(client, METHODS.Fail, [Buffer.from(reason)]);
  const isRight = called.error?.code === status.FAILED_PRECONDITION && called.error.details === reason;
  account.settle(
    'gRPC unary call that fails',
    isRight ? 'right' : findOutcome(called, () => false),
    ['right', ...goaway],
    sentMs,
    called.error?.message,
  );
}

/** Streams down, up and both ways, up to their end. */
export async function callStreams(cloud: ClientSetup): Promise<void> {
  const { account, chance, goaway, nextId } = cloud;
  const way = chance.of(['down', 'up', 'both ways'] as const);
  const sent = Array.from({ length: chance.between(2, 20) }, () => buildPattern(nextId(), chance.of(SIZES)));
  const id = nextId();
  const calls = {
    down: [
      METHODS.Count,
      [Buffer.from(`${sent.length}:${id}:${chance.between(0, 20)}`)],
      computeCount(id, sent.length),
    ],
    up: [METHODS.Collect, sent, [computeSum(sent)]],
    'both ways': [METHODS.Chat, sent, sent],
  } as const satisfies Record<string, readonly [Method, readonly Buffer[], readonly Buffer[]]>;
  const [method, messages, expected] = calls[way];
  const sentMs = performance.now();
  await withClient(cloud.door, async (client) => {
    const called = await call(client, method, messages, way === 'down' ? 0 : chance.between(0, 10));
    const outcome = findOutcome(called, (got) => areSame(got.messages, expected));
    account.settle(`gRPC stream ${way}`, outcome, ['right', ...goaway], sentMs, called.error?.message);
  });
}

/** Calls that their client gives up: by a deadline, or in the middle of a stream. What is left behind shows in the ledger. */
export async function giveUpCalls({ account, chance, door, nextId }: ClientSetup): Promise<void> {
  const isDeadline = chance.share() < 0.5;
  await withClient(door, async (client) => {
    if (isDeadline) {
      const { error } = await call(client, METHODS.Hang, [Buffer.alloc(10)], 0, chance.between(20, 300));
      return account.count(`gRPC call with a short deadline: ${status[error?.code ?? 0]}`);
    }
    const stream = open(client, METHODS.Count);
    stream.on('data', () => undefined).on('error', () => undefined);
    stream.end(Buffer.from(`${ENDLESS}:${nextId()}:5`));
    await pause(chance.between(0, 300));
    stream.cancel();
    account.count('client cancels a gRPC stream');
  });
}

/** Reads a stream without an end until the proxy ends it, as a drain does: with status 14, and no message lost in between. */
export async function streamUntilSentAway({ account, door, goaway, nextId }: ClientSetup): Promise<void> {
  const id = nextId();
  await withClient(door, async (client) => {
    const sentMs = performance.now();
    const { messages, error } = await call(client, METHODS.Count, [Buffer.from(`${ENDLESS}:${id}:20`)]);
    const isWhole = areSame(messages, computeCount(id, messages.length)) && messages.length > 0;
    const isSentAway = error?.code === status.UNAVAILABLE && isWhole;
    const outcome = isSentAway ? 'right' : findOutcome({ messages, error }, () => false);
    account.settle('gRPC stream sent away', outcome, ['right', ...goaway], sentMs, error?.message);
  });
}

async function withClient(door: Door, work: (client: Client) => Promise<void>): Promise<void> {
  const options = { 'grpc.use_local_subchannel_pool': 1, 'grpc.ssl_target_name_override': 'localhost' };
  const client = new Client(`${HOST}:${door.port}`, door.isTls ? trusting : credentials.createInsecure(), options);
  await work(client).finally(() => client.close());
}

function open(client: Client, { path }: Method, deadlineMs = SILENCE_MS) {
  const asIs = (bytes: Buffer) => bytes;
  return client.makeBidiStreamRequest(path, asIs, asIs, new Metadata(), { deadline: Date.now() + deadlineMs });
}

/** As bytes all kinds of calls are alike. @param apartMs between two messages of the client */
async function call(
  client: Client,
  method: Method,
  sent: readonly Buffer[],
  apartMs = 0,
  deadlineMs = SILENCE_MS,
): Promise<Called> {
  const stream = open(client, method, deadlineMs);
  const messages: Buffer[] = [];
  let error: ServiceError | undefined;
  const done = new Promise<void>((resolve) => {
    stream.on('data', (message: Buffer) => messages.push(message));
    stream.on('error', (cause: ServiceError) => (error = cause));
    stream.on('status', () => setImmediate(resolve));
  });
  for (const message of sent) {
    if (error !== undefined) break;
    stream.write(message);
    if (apartMs > 0) await pause(apartMs);
  }
  stream.end();
  await done;
  return { messages, error };
}

function findOutcome({ messages, error }: Called, isRight: (called: Called) => boolean): Outcome {
  if (error === undefined) return isRight({ messages, error }) ? 'right' : 'wrong';
  if (error.code === status.UNAVAILABLE) {
    // On a machine that is busy a drained proxy may be gone before a client has connected.
    if (/^(No connection established|Stream refused by server)/.test(error.details)) return 'unserved';
    return error.metadata.get('retry-after').length > 0 ? 'retryLater' : 'badGateway';
  }
  if (error.code === status.DEADLINE_EXCEEDED) return 'silent';
  return error.code === status.CANCELLED || error.code === status.INTERNAL ? 'cut' : 'wrong';
}

function computeCount(id: number, messages: number): Buffer[] {
  return Array.from({ length: messages }, (_, index) => Buffer.from(`${id} ${index}`));
}

function computeSum(messages: readonly Buffer[]): Buffer {
  const all = Buffer.concat(messages);
  return Buffer.from(`${messages.length}:${all.length}:${crc32(all)}`);
}

function areSame(got: readonly Buffer[], expected: readonly Buffer[]): boolean {
  return got.length === expected.length && expected.every((message, index) => got[index]!.equals(message));
}
