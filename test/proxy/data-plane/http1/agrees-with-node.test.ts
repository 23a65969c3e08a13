import http from 'node:http';
import { liveIn, startBackend, stopAll, until } from '../../support/world';
import type { Field } from './support/messages';
import { mutated, validRequest } from './support/generator';
import { Random } from './support/random';
import { Stand, head, startStand } from './support/rejections';
import { RawClient, send } from './support/raw-client';
import { startUpstream } from './support/raw-upstream';

afterEach(stopAll);

const SEED = Number(process.env.DRAINSHIFT_DIFFERENTIAL_SEED ?? 1);
const ROUNDS = Number(process.env.DRAINSHIFT_DIFFERENTIAL_ROUNDS ?? 800);
/** Whoever is silent for so long takes the last request for part of another, and waits for more. */
const STALLED_MS = 50;
const LAST = head('GET /last HTTP/1.1', 'Host: last', 'Connection: close');
const EMPTY = head('HTTP/1.1 200 OK', 'Content-Length: 0');

/** What one of both readers has understood. */
interface Reading {
  readonly method: string;
  readonly target: string;
  readonly fields: readonly Field[];
  readonly body: string;
  readonly trailers: readonly Field[];
}

interface Readers {
  readonly stand: Stand;
  readonly nodePort: number;
  readonly nodeRead: Reading[];
}

/** Our plane before an upstream that notes everything, and Node's server by itself. */
async function startReaders(): Promise<Readers> {
  const nodeRead: Reading[] = [];
  const node = await startBackend((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      nodeRead.push(nodeReading(request, Buffer.concat(chunks).toString('latin1')));
      response.writeHead(200, { 'content-length': '0' }).end();
    });
  });
  // The end of a client's half must not take the responses with it that are still to come.
  Object.assign(node.server, { httpAllowHalfOpen: true });
  const upstream = await startUpstream(() => EMPTY);
  let order = 0;
  const stand = await startStand(
    {
      timeouts: { headMs: 1_000, bodyIdleMs: 1_000 },
      route: () => ({
        forward: {
          upstream: { protocol: 'http', host: '127.0.0.1', port: upstream.port },
          // Pipelined requests may go to the upstream side by side; this tells which came first.
          requestHeaders: { 'x-order': String((order += 1)) },
        },
      }),
    },
    upstream,
  );
  return { stand, nodePort: node.port, nodeRead };
}

function nodeReading(request: http.IncomingMessage, body: string): Reading {
  return {
    method: request.method ?? '',
    target: (request.url ?? '').replace(/^http:\/\/[^/?]*/i, ''),
    fields: pairs(request.rawHeaders),
    body,
    trailers: pairs(request.rawTrailers),
  };
}

function pairs(raw: readonly string[]): Field[] {
  return raw.flatMap((name, index) => (index % 2 === 0 ? [[name.toLowerCase(), raw[index + 1] ?? ''] as const] : []));
}

const OF_ONE_HOP =
  /^(connection|keep-alive|proxy-.*|te|transfer-encoding|content-length|upgrade|trailer|http2-settings|x-order)$/;

/**
 * The fields that are not about the connection; those of one name are one list (RFC 9110 section 5.3). An HTTP/1.0
 * request may come without Host, and goes on with one.
 */
function endToEnd(fields: readonly Field[], hasHost = true): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const [name, value] of fields) {
    if (OF_ONE_HOP.test(name) || (name === 'host' && !hasHost)) continue;
    const text = name === 'host' ? value.toLowerCase() : value.trim();
    kept[name] = name in kept ? `${kept[name]}, ${text}` : text;
  }
  return kept;
}

interface Notified {
  readonly client: RawClient;
  /** It waited for more, until it heard that no more comes. */
  readonly hadToEnd: boolean;
}

/** Sends the bytes and waits until the server has closed, or is told to because it waits for more. */
async function tell(port: number, bytes: string, isValid: boolean): Promise<Notified> {
  const client = await send(port, bytes);
  let hadToEnd = false;
  const end = (): void => {
    hadToEnd = true;
    client.end();
  };
  const timer = isValid ? undefined : setTimeout(end, STALLED_MS);
  await client.when(({ isClosed }) => isClosed);
  clearTimeout(timer);
  return { client, hadToEnd };
}

interface Both {
  readonly ours: readonly Reading[];
  readonly node: readonly Reading[];
  readonly statuses: readonly number[];
  /** Every request got a response before the client ended. */
  readonly isComplete: boolean;
}

async function readBoth({ stand, nodePort, nodeRead }: Readers, bytes: string, isValid: boolean): Promise<Both> {
  const [ourBefore, nodeBefore] = [stand.upstream.requests.length, nodeRead.length];
  const [our] = await Promise.all([stand.engine.port, nodePort].map((port) => tell(port, bytes, isValid)));
  await until(() => liveIn(stand.engine.ledger) === 0);
  const order = (reading: Reading) => Number(reading.fields.find(([name]) => name === 'x-order')?.[1]);
  const ours = stand.upstream.requests.slice(ourBefore).sort((one, other) => order(one) - order(other));
  const statuses = our!.client.read().responses.map(({ status }) => status);
  const isComplete = !our!.hadToEnd && statuses.length > 0 && statuses.every((status) => status === 200);
  return { ours, node: nodeRead.slice(nodeBefore), statuses, isComplete };
}

/** What Node rejects although RFC 9110 and 9112 let it pass. Where Node reads nothing, nothing can be read in two ways. */
const BEYOND_NODE = [
  // A minor version that is higher is served as 1.1.
  /HTTP\/1\.[2-9]/,
  // White space behind a value may be a TAB.
  /transfer-encoding:.*\t\r\n/i,
];

const isKnownToNode = ({ method }: Reading) => http.METHODS.includes(method);

function expectAgreement({ ours, node, isComplete }: Both): void {
  for (const [index, our] of ours.entries()) {
    if (!isKnownToNode(our)) return;
    const its = node[index];
    const hasHost = its?.fields.some(([name]) => name === 'host');
    const comparable = (reading: Reading | undefined) =>
      reading && {
        method: reading.method,
        target: reading.target,
        fields: endToEnd(reading.fields, hasHost),
        body: reading.body,
      };
    expect(comparable(our)).toEqual(comparable(its));
    for (const trailer of our.trailers) expect(its?.trailers).toContainEqual(trailer);
  }
  if (isComplete) expect(ours).toHaveLength(node.length);
}

/** One round; what fails in it says which one it was, and with what bytes. */
async function round(seed: number, bytes: string, check: () => Promise<void>): Promise<void> {
  try {
    await check();
  } catch (error) {
    const hint = `DRAINSHIFT_DIFFERENTIAL_SEED=${seed} DRAINSHIFT_DIFFERENTIAL_ROUNDS=1`;
    throw new Error(`${hint}, bytes ${JSON.stringify(bytes)}\n${(error as Error).message}`, { cause: error });
  }
}

test('what every recipient must take is taken, and understood as Node understands it', async () => {
  const readers = await startReaders();
  for (let seed = SEED; seed < SEED + ROUNDS; seed += 1) {
    const random = new Random(seed);
    const requests = random.several(1, 4, () => validRequest(random));
    await round(seed, requests.join(''), async () => {
      const both = await readBoth(readers, requests.join('') + LAST, true);
      expect(both.statuses).toEqual(Array.from({ length: requests.length + 1 }, () => 200));
      expect(both.node).toHaveLength(requests.length + 1);
      expectAgreement(both);
    });
  }
  expect(readers.stand.faults).toEqual([]);
});

test('what we pass on of a broken request Node has understood in the same way', async () => {
  const readers = await startReaders();
  for (let seed = SEED; seed < SEED + ROUNDS; seed += 1) {
    const random = new Random(seed);
    const bytes = random.several(1, 3, () =>
      random.once(3) ? validRequest(random) : mutated(random, validRequest(random)),
    );
    if (BEYOND_NODE.some((pattern) => pattern.test(bytes.join('')))) continue;
    await round(seed, bytes.join(''), async () => {
      expectAgreement(await readBoth(readers, bytes.join('') + LAST, false));
    });
  }
  expect(readers.stand.faults).toEqual([]);
});
