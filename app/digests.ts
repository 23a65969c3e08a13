import { hash } from 'node:crypto';
import { setImmediate as breathe } from 'node:timers/promises';
import { compareKeys } from '../core/state/differences';
import type { DigestResponse } from '../core/state/http-contract';
import { Maps, formatKey, formatLine, hashLine } from './maps';

/** So many entries are hashed before others have their turn. */
const AT_ONCE = 2_000;

/** One digest of all entries, in whatever order the maps have them: two that are equal hold the same. */
export async function digestMaps(maps: Maps): Promise<DigestResponse> {
  const sum = new Uint32Array(8);
  let keys = 0;
  for (const [name, map] of Object.entries(maps)) {
    // Not of the map itself: one that has what was read last at its end would have no end.
    for (const key of [...map.keys()]) {
      const line = formatLine(maps, name, key);
      if (line === undefined) continue;
      const hashed = hash('sha256', line, 'buffer');
      for (let at = 0; at < sum.length; at += 1) sum[at]! ^= hashed.readUInt32LE(4 * at);
      keys += 1;
      if (keys % AT_ONCE === 0) await breathe();
    }
  }
  return { ok: true, digest: Buffer.from(sum.buffer).toString('hex'), keys };
}

/** A line `{"key","digest"}` of each entry, in the order of the bytes of its key. */
export async function* listDigests(maps: Maps): AsyncGenerator<string> {
  const all = Object.entries(maps).flatMap(([name, map]) =>
    [...map.keys()].map((key) => ({ name, key, full: formatKey(name, key) })),
  );
  all.sort((a, b) => compareKeys(a.full, b.full));
  let chunk = '';
  for (const [at, { name, key, full }] of all.entries()) {
    const line = formatLine(maps, name, key);
    if (line !== undefined) chunk += `${JSON.stringify({ key: full, digest: hashLine(line) })}\n`;
    if (at % AT_ONCE !== AT_ONCE - 1) continue;
    yield chunk;
    chunk = '';
    await breathe();
  }
  if (chunk !== '') yield chunk;
}
