import { liveIn, startRawBackend, stopAll, until } from '../../support/world';
import { chunks, mutated, stretched, validResponse, validRequest } from './support/generator';
import { Random } from './support/random';
import { Stand, expectServes, head, startStand } from './support/rejections';
import { RawClient, connect } from './support/raw-client';
import { OK, startUpstream } from './support/raw-upstream';

afterEach(stopAll);

/** `DRAINSHIFT_FUZZ_SECONDS=600 npm run jest -- survives-fuzz` for longer; each of both sides takes half of it. */
const SECONDS = Number(process.env.DRAINSHIFT_FUZZ_SECONDS ?? 3);
/** The seed of the first round. A failure names that of its own round. */
const SEED = Number(process.env.DRAINSHIFT_FUZZ_SEED ?? Date.now() % 1_000_000_000);
const TIMEOUTS = { headMs: 100, bodyIdleMs: 100, clientIdleMs: 100, upstreamIdleMs: 100, poolIdleMs: 50 };
/** A round takes less than a second by the times above. What is not over after minutes hangs, and is named with its seed. */
const HANGS_AFTER_MS = 300_000;

/** What a round may cost of the processor, with its clients and upstreams: so much, and so much more for each byte. */
const MAX_CPU = { roundMs: 500, byteUs: 5 };

/** Resolves with the count of bytes that the proxy had to read. */
type Check = (random: Random) => Promise<number>;

/** Rounds until the time is over, at least one. */
async function rounds(check: Check): Promise<void> {
  const endMs = performance.now() + (SECONDS * 1_000) / 2;
  let seed = SEED;
  do {
    await round(seed, check);
    seed += 1;
  } while (performance.now() < endMs);
}

async function round(seed: number, check: Check): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const hanging = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('the round hangs')), HANGS_AFTER_MS);
  });
  try {
    const before = process.cpuUsage();
    const bytes = await Promise.race([check(new Random(seed)), hanging]);
    const { user, system } = process.cpuUsage(before);
    const mostMs = MAX_CPU.roundMs + (bytes * MAX_CPU.byteUs) / 1_000;
    const cpuMs = (user + system) / 1_000;
    if (cpuMs > mostMs) throw new Error(`${bytes} bytes cost ${cpuMs} ms of the processor, and may cost ${mostMs}`);
  } catch (error) {
    throw new Error(`DRAINSHIFT_FUZZ_SEED=${seed}: ${(error as Error).message.slice(0, 2_000)}`, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}

/** Sends the bytes in pieces and then ends, resets, or waits to be left. */
async function sendInPieces(random: Random, client: RawClient, bytes: string): Promise<void> {
  // Thousands of writes would cost more than what they are to find.
  const min = Math.ceil(bytes.length / 500);
  const size = Math.max(min, random.pick([1 + random.below(20), 1 + random.below(200), bytes.length]));
  for (let at = 0; at < bytes.length && !client.hasEnded; at += size) {
    client.send(bytes.slice(at, at + size));
    if (random.once(3)) await new Promise(setImmediate);
  }
  const leave = random.below(8);
  if (leave === 0) client.reset();
  else if (leave < 7) setTimeout(() => client.end(), random.below(3));
  await client.when(({ isClosed }) => isClosed);
}

const NOISE: readonly ((random: Random) => string)[] = [
  (random) => mutated(random, validRequest(random)),
  (random) => mutated(random, validRequest(random) + validRequest(random)),
  (random) => validRequest(random) + mutated(random, validRequest(random)),
  (random) => random.bytes(random.below(300)),
  (random) => validRequest(random) + random.bytes(random.below(50)),
  (random) =>
    mutated(
      random,
      `${head('POST / HTTP/1.1', 'Host: a', 'Transfer-Encoding: chunked')}${chunks(random, 'x'.repeat(200))}`,
    ),
  (random) => mutated(random, `${UPGRADE}${random.bytes(20)}`),
  (random) => stretched(random, validRequest(random)),
  (random) => stretched(random, UPGRADE),
  (random) => mutated(random, head('POST / HTTP/1.1', 'Host: a', 'Expect: 100-continue', 'Content-Length: 5')),
];

const UPGRADE = head(
  'GET /ws HTTP/1.1',
  'Host: a',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
);

function readResponse(random: Random): string {
  if (random.once(5)) return validResponse(random);
  if (random.once(6)) return random.bytes(random.below(200));
  return random.once(8) ? stretched(random, validResponse(random)) : mutated(random, validResponse(random));
}

async function expectWell(stand: Stand): Promise<void> {
  await until(() => liveIn(stand.engine.ledger) === 0);
  expect(stand.faults).toEqual([]);
  // Throws when what reached the upstream could be read in two ways.
  expect(stand.upstream.requests).toBeDefined();
}

test('bytes of any kind from clients', async () => {
  const stand = await startStand(
    { timeouts: TIMEOUTS },
    await startUpstream(({ method }) => (method === 'HEAD' ? OK.slice(0, -2) : OK)),
  );
  await rounds(async (random) => {
    const client = await connect(stand.engine.port);
    const sent = random.pick(NOISE)(random);
    await sendInPieces(random, client, sent);
    // Throws when a response could be read in two ways; what the proxy says must be HTTP, whatever it was told.
    if (!sent.includes('HEAD')) client.read();
    await expectWell(stand);
    return sent.length;
  });
  await expectServes(stand);
});

test('bytes of any kind from upstreams', async () => {
  let random = new Random(SEED);
  let responded = 0;
  const honest = await startUpstream();
  const liar = await startRawBackend((socket) => {
    socket.on('data', () => {
      const bytes = readResponse(random);
      responded += bytes.length;
      socket.write(bytes, 'latin1');
      const leave = random.below(5);
      if (leave === 0) socket.resetAndDestroy();
      else if (leave < 3) socket.end();
    });
  });
  const stand = await startStand(
    {
      timeouts: TIMEOUTS,
      route: ({ url }) => {
        const port = url === '/sentinel' ? honest.port : liar;
        return { forward: { upstream: { protocol: 'http', host: '127.0.0.1', port } } };
      },
    },
    honest,
  );
  await rounds(async (next) => {
    random = next;
    responded = 0;
    const client = await connect(stand.engine.port);
    const sent = random.once(6) ? UPGRADE : validRequest(random) + validRequest(random);
    await sendInPieces(random, client, sent);
    // They stay in the values of an upstream; all else has to be strict.
    client.received = client.received.replace(/[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]/g, '?');
    client.read();
    await expectWell(stand);
    return sent.length + responded;
  });
  await expectServes(stand);
});
