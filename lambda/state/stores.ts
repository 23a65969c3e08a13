import type { ValkeyPlan } from '../../core/plan/state-plan';
import type { Side } from '../../core/traffic/weights';
import type { Guard, KeyName, KeyStore, KeyStoresPort } from '../contract/store-ports';

/** In the store that is copied to: which execution has begun it. No copy takes it along. */
export const MARKER: KeyName = 'drainshift:copy';
/** Before the execution: its keys are those of a store that had its own, as that of a source is behind a commit. */
const OVER_ITS_OWN = 'back:';

export interface Stores {
  readonly from: KeyStore;
  readonly to: KeyStore;
  close(): void;
}

/** Of one way. Either is closed where the other one does not respond. */
export async function openStores(
  plan: ValkeyPlan,
  way: { readonly from: Side; readonly to: Side },
  port: KeyStoresPort,
  limitMs: number,
): Promise<Stores> {
  const opened = await Promise.allSettled([port.open(plan[way.from], limitMs), port.open(plan[way.to], limitMs)]);
  const [from, to] = opened.flatMap((each) => (each.status === 'fulfilled' ? each.value : []));
  const failed = opened.find((each) => each.status === 'rejected');
  if (from && to) return { from, to, close: () => [from, to].forEach((store) => store.close()) };
  from?.close();
  throw failed?.reason as Error;
}

export const findPattern = ({ keys = '*' }: ValkeyPlan): string => keys;

export const withoutMarker = (keys: Iterable<KeyName>): KeyName[] => [...keys].filter((key) => key !== MARKER);

/**
 * Before anything is copied to it. A store that has keys of its own is none to copy over; what a copy has left there is removed. On the way
 * back each store has its own keys.
 *
 * @throws Error naming one of its own keys
 */
export async function claimStore(to: KeyStore, side: Side, pattern: string, execution: string, isBack: boolean) {
  // Behind a commit, writes to the store that was left wait: those of a copy back as well.
  await to.thaw();
  const marker = await to.readText(MARKER);
  if (isBack) return to.writeText(MARKER, `${OVER_ITS_OWN}${execution}`);
  if (marker === undefined) {
    const problem = await findOwnKey(to, side, pattern);
    if (problem !== undefined) throw new Error(problem);
  } else {
    await removeAll(to, pattern, { key: MARKER, text: marker });
  }
  await to.writeText(MARKER, execution);
}

/** @returns the rule that a store breaks which is copied to */
export async function findOwnKey(to: KeyStore, side: Side, pattern: string): Promise<string | undefined> {
  if ((await to.readText(MARKER)) !== undefined) return undefined;
  for await (const [key] of listPages(to, pattern)) {
    if (key === undefined) continue;
    const shown = Buffer.from(key, 'latin1').toString().slice(0, 80);
    return `the store of the ${side} must have no keys '${pattern}' before the copy, got '${shown}'`;
  }
  return undefined;
}

/** What an execution may write by, as long as no switch was committed. */
export async function findGuard(to: KeyStore, execution: string): Promise<Guard> {
  const text = (await to.readText(MARKER)) ?? '';
  if (text === execution || text === `${OVER_ITS_OWN}${execution}`) return { key: MARKER, text };
  throw new Error('only a store of this copy may be written to, got one that is not any more');
}

/** It is its own from now on. */
export async function releaseStore(to: KeyStore): Promise<void> {
  const text = await to.readText(MARKER);
  if (text !== undefined) await to.remove([MARKER], { key: MARKER, text });
}

/**
 * Behind an abort. What was copied was all there is: the store had no keys before.
 *
 * @returns what is left
 */
export async function discardCopy(to: KeyStore, side: Side, pattern: string, execution: string) {
  const marker = await to.readText(MARKER);
  if (marker?.startsWith(OVER_ITS_OWN))
    return `the store of the ${side} has keys of both sides: the next copy takes their place`;
  if (marker !== execution) return undefined;
  const guard = { key: MARKER, text: execution };
  await removeAll(to, pattern, guard);
  await to.remove([MARKER], guard);
  return undefined;
}

/** All keys by pages, without the marker. A key may come twice. */
export async function* listPages(store: KeyStore, pattern: string): AsyncGenerator<KeyName[]> {
  let cursor = '0';
  do {
    const page = await store.scan(cursor, pattern);
    cursor = page.cursor;
    const keys = withoutMarker(new Set(page.keys));
    if (keys.length > 0) yield keys;
  } while (cursor !== '0');
}

async function removeAll(store: KeyStore, pattern: string, guard: Guard): Promise<void> {
  for await (const keys of listPages(store, pattern)) await store.remove(keys, guard);
}
