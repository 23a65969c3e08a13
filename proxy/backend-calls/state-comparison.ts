import { createInterface } from 'node:readline';
import type { TransferOrder } from '../../core/proxy/state-transfer';
import { Comparison, Differences, compareKeys } from '../../core/state/differences';
import {
  DigestResponse,
  KeyDigest,
  readDigest,
  readKeyDigest,
  readWhy,
  statePath,
} from '../../core/state/http-contract';
import type { Side } from '../../core/traffic/weights';
import { Upstreams, findBackend, ownFields, readResponse, streamUpstream } from './own-request';
import { parseJson } from './state-copy';

/** A line without an end would take all memory. */
const MAX_LINE_BYTES = 1024 * 1024;
const LF = 0x0a;

/**
 * Asks both backends for the digest of their state. Where these differ their keys are read side by side, whatever their number.
 *
 * @throws Error with the reason
 */
export async function compareStates(
  order: TransferOrder,
  upstreams: Upstreams,
  signal: AbortSignal,
): Promise<{ readonly digest: string; readonly keys?: number } | { readonly differences: Differences }> {
  const ask = (side: Side) => readSide(side, order, upstreams, signal);
  const [from, to] = await Promise.all([ask(order.from), ask(order.to)]);
  if (from.digest === to.digest) return { digest: from.digest, ...(from.keys !== undefined && { keys: from.keys }) };
  const differences = await findDifferences(order, upstreams, signal);
  if (differences.count > 0) return { differences };
  return {
    differences: { count: 1, first: [`the digests '${from.digest}' and '${to.digest}' differ, and no key does`] },
  };
}

async function readSide(
  side: Side,
  order: TransferOrder,
  upstreams: Upstreams,
  signal: AbortSignal,
): Promise<DigestResponse> {
  const { status, body } = await readResponse(await askDigest(side, '', order, upstreams, signal));
  const name = `'digest' of the ${side}`;
  const parsed = parseJson(body);
  const why = readWhy(parsed);
  if (status !== 200 || why !== undefined)
    throw new Error(`${name} must respond with 200, got ${status}${why === undefined ? '' : `: ${why}`}`);
  const digest = readDigest(parsed ?? body);
  if ('problem' in digest) throw new Error(`${name} ${digest.problem}`);
  return digest;
}

async function findDifferences(order: TransferOrder, upstreams: Upstreams, signal: AbortSignal): Promise<Differences> {
  const { from, to } = order;
  const comparison = new Comparison([from, to]);
  const sides = [from, to].map((side) => readKeys(side, order, upstreams, signal)) as [Keys, Keys];
  const [left, right] = sides;
  try {
    let [one, other] = [await left.next(), await right.next()];
    while (!one.done || !other.done) {
      const taken = comparison.take(one.done ? undefined : one.value, other.done ? undefined : other.value);
      if (taken !== 'right') one = await left.next();
      if (taken !== 'left') other = await right.next();
    }
  } finally {
    await Promise.all(sides.map((keys) => keys.return(undefined).catch(() => undefined)));
  }
  return comparison.differences;
}

type Keys = AsyncGenerator<KeyDigest, undefined>;

async function* readKeys(side: Side, order: TransferOrder, upstreams: Upstreams, signal: AbortSignal): Keys {
  const response = await askDigest(side, '?keys', order, upstreams, signal);
  const name = `'digest?keys' of the ${side}`;
  if (response.statusCode !== 200) {
    response.destroy();
    throw new Error(`${name} must respond with 200, got ${response.statusCode}`);
  }
  let failure: Error | undefined;
  response.once('error', (error) => (failure = error));
  const tooLong = `${name} must have lines of at most ${MAX_LINE_BYTES} bytes, got a longer one`;
  let length = 0;
  response.on('data', (chunk: Buffer) => {
    const end = chunk.lastIndexOf(LF);
    length = end < 0 ? length + chunk.length : chunk.length - end - 1;
    if (length > MAX_LINE_BYTES) response.destroy(new Error(tooLong));
  });
  const lines = createInterface({ input: response, crlfDelay: Infinity });
  let last: string | undefined;
  try {
    for await (const line of lines) {
      if (line === '') continue;
      const read = readKeyDigest(parseJson(line));
      if (!read) throw new Error(`${name} must have lines {"key":"…","digest":"…"}, got ${line.slice(0, 100)}`);
      if (last !== undefined && compareKeys(last, read.key) >= 0)
        throw new Error(`${name} must be in the order of the bytes of its keys, got '${read.key}' behind '${last}'`);
      last = read.key;
      yield read;
    }
    // A list that breaks off is no list.
    if (failure) throw failure;
  } finally {
    response.destroy();
  }
  return undefined;
}

function askDigest(side: Side, query: string, order: TransferOrder, upstreams: Upstreams, signal: AbortSignal) {
  const path = `${statePath(order.path, 'digest')}${query}`;
  return streamUpstream(findBackend(upstreams, side), { method: 'GET', path, headers: ownFields(order), signal });
}
