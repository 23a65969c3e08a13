import { hash } from 'node:crypto';

/** What a command responds, as iovalkey reads it. */
export type Reply = Buffer | string | number | null | Reply[];

/** The command that reads all of a key of a type, and the form of what it responds that two equal keys share. */
export const READERS: Readonly<
  Record<string, { readonly command: (key: Buffer) => [string, ...(Buffer | string)[]]; readonly order: Order }>
> = {
  string: { command: (key) => ['GET', key], order: (reply) => [reply] },
  list: { command: (key) => ['LRANGE', key, '0', '-1'], order: asList },
  set: { command: (key) => ['SMEMBERS', key], order: (reply) => asList(reply).sort(compareBytes) },
  hash: { command: (key) => ['HGETALL', key], order: (reply) => sortPairs(asList(reply)).flat() },
  zset: {
    command: (key) => ['ZRANGE', key, '0', '-1', 'WITHSCORES'],
    order: (reply) => sortPairs(asList(reply)).flatMap(([member, score]) => [member!, readScore(score)]),
  },
  stream: { command: (key) => ['XRANGE', key, '-', '+'], order: asList },
};

type Order = (reply: Reply) => Reply[];

/** @param more of what its reader does not read: the groups of a stream */
export function computeDigest(type: string, reply: Reply, more: Reply[] = []): string {
  const { order } = READERS[type]!;
  return hash('sha256', Buffer.concat(encode([type, ...order(reply), more])), 'base64url');
}

/** Of the groups of a stream what goes along: when a consumer was last seen does not. */
export function listGroups(reply: Reply): Reply[] {
  const kept = ['name', 'pending', 'last-delivered-id'];
  return asList(reply).map((group) =>
    pairs(asList(group))
      .filter(([name]) => kept.includes(String(name)))
      .flat(),
  );
}

/** Each with its length before it: no two values have the same bytes. */
function encode(value: Reply): Buffer[] {
  if (Array.isArray(value)) return [Buffer.from(`*${value.length}\n`), ...value.flatMap(encode)];
  const bytes = Buffer.isBuffer(value) ? value : Buffer.from(String(value));
  return [Buffer.from(`$${bytes.length}\n`), bytes];
}

/** Versions write the same number in several ways. */
function readScore(score: Reply | undefined): string {
  const text = String(score);
  return /^-?inf$/i.test(text) ? text.toLowerCase() : String(Number(text));
}

function sortPairs(list: readonly Reply[]): Reply[][] {
  return pairs(list).sort(([a], [b]) => compareBytes(a!, b!));
}

function pairs(list: readonly Reply[]): Reply[][] {
  return Array.from({ length: Math.floor(list.length / 2) }, (_, at) => list.slice(2 * at, 2 * at + 2));
}

function compareBytes(a: Reply, b: Reply): number {
  return Buffer.compare(a as Buffer, b as Buffer);
}

function asList(reply: Reply): Reply[] {
  return Array.isArray(reply) ? [...reply] : [];
}
