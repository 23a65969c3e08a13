import { Differences, compareKeys, Comparison } from '../../core/state/differences';
import type { Side } from '../../core/traffic/weights';
import type { KeyName, KeyState } from '../contract/store-ports';
import { Servers } from './replicas';
import { withoutMarker } from './stores';

const SAMPLE = 100;
const ROUNDS = 5;
/** For what is on its way to the replica. */
const LAG_MS = 50;

/**
 * Compares some keys at random, while both serve. A key that changes in the middle says nothing; one that stays as it is at the primary, and is
 * another one at its replica again and again, differs.
 */
export async function compareSample(
  servers: Servers,
  way: { readonly from: Side; readonly to: Side },
  pause: (milliseconds: number) => Promise<void>,
): Promise<Differences | undefined> {
  let suspects = withoutMarker(await servers.from.sample(SAMPLE));
  for (let round = 1; suspects.length > 0; round += 1) {
    const found = await readDiffering(servers, suspects);
    if (round === ROUNDS) return report(found, way);
    suspects = found.map(({ key }) => key);
    await pause(LAG_MS);
  }
  return undefined;
}

interface Pair {
  readonly key: KeyName;
  readonly from: KeyState | undefined;
  readonly to: KeyState | undefined;
}

async function readDiffering({ from, to }: Servers, keys: readonly KeyName[]): Promise<Pair[]> {
  const before = await from.digest(keys);
  const there = await to.digest(keys);
  const behind = await from.digest(keys);
  return keys.flatMap((key, at) => {
    const isSteady = isEqual(before[at], behind[at]);
    return isSteady && !isEqual(behind[at], there[at]) ? [{ key, from: behind[at], to: there[at] }] : [];
  });
}

function isEqual(one: KeyState | undefined, other: KeyState | undefined): boolean {
  return one?.digest === other?.digest && one?.expiresAtMs === other?.expiresAtMs;
}

function report(pairs: readonly Pair[], { from, to }: { readonly from: Side; readonly to: Side }) {
  if (pairs.length === 0) return undefined;
  const comparison = new Comparison([from, to]);
  const digest = (key: string, state: KeyState | undefined) =>
    state && { key, digest: `${state.digest} ${state.expiresAtMs}` };
  const shown = pairs.map((pair) => ({ ...pair, key: Buffer.from(pair.key, 'latin1').toString() }));
  for (const pair of shown.toSorted((a, b) => compareKeys(a.key, b.key)))
    comparison.take(digest(pair.key, pair.from), digest(pair.key, pair.to));
  return comparison.differences;
}
