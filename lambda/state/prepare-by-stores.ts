import { findDirection } from '../../core/plan/direction';
import type { CutoverRun } from '../../core/cutover/run';
import type { StatePlan, ValkeyPlan } from '../../core/plan/state-plan';
import type { StatePreparation } from '../../core/state/preparation';
import type { Ports } from '../contract/ports';
import { settle } from '../contract/settle';
import type { Prepared } from './prepared';
import { Stores, claimStore, findGuard, findPattern, openStores, withoutMarker } from './stores';

interface Asked {
  readonly run: CutoverRun;
  readonly plan: StatePlan & { readonly valkey: ValkeyPlan };
  readonly preparation: StatePreparation;
  readonly waitMs: number;
}

/** Of a connection, and of a page. */
const STORE_MS = 10_000;

/**
 * Copies key by key, as far as it comes in its time; the next call goes on from the cursor. What changes meanwhile is found by the
 * comparison before the hold.
 */
export async function prepareByStores(asked: Asked, ports: Ports): Promise<Prepared> {
  const { preparation, plan } = asked;
  const opened = await settle(() => openStores(plan.valkey, preparation, ports.stores, STORE_MS));
  if ('problem' in opened) return { kind: 'failed', preparation, why: opened.problem };
  const stores = opened.value;
  try {
    const claimed = await settle(() => claim(asked, stores));
    // Nothing was started: what is there is not ours to discard.
    if ('problem' in claimed) return { kind: 'failed', preparation, why: claimed.problem };
    return await copy(asked, claimed.value, stores, ports);
  } finally {
    stores.close();
  }
}

async function claim({ run, plan, preparation }: Asked, { to }: Stores): Promise<StatePreparation> {
  if (preparation.starts > 0 && preparation.cursor !== undefined) return preparation;
  const isBack = preparation.to !== findDirection(run.plan).to;
  await claimStore(to, preparation.to, findPattern(plan.valkey), run.execution, isBack);
  return { ...preparation, starts: preparation.starts + 1, cursor: '0' };
}

async function copy(
  { run, plan, waitMs }: Asked,
  started: StatePreparation,
  stores: Stores,
  ports: Ports,
): Promise<Prepared> {
  const endMs = ports.now() + waitMs;
  const startedMs = Date.parse(started.startedAt);
  let preparation = started;
  do {
    const paged = await settle(() => copyPage(preparation, plan.valkey, stores, run.execution));
    if ('problem' in paged) return { kind: 'failed', preparation, why: paged.problem };
    preparation = { ...paged.value, tookMs: Math.max(0, ports.now() - startedMs) };
    if (preparation.bytes > plan.maxBytes) {
      const why = `at most ${plan.maxBytes} bytes may be copied, got ${preparation.bytes}`;
      return { kind: 'failed', preparation, why };
    }
  } while (!preparation.isReady && ports.now() < endMs);
  return { kind: preparation.isReady ? 'ready' : 'copying', preparation };
}

async function copyPage(
  preparation: StatePreparation,
  plan: ValkeyPlan,
  { from, to }: Stores,
  execution: string,
): Promise<StatePreparation> {
  const page = await from.scan(preparation.cursor ?? '0', findPattern(plan));
  const dumped = await from.dump(withoutMarker(page.keys));
  await to.restore(dumped, await findGuard(to, execution));
  return {
    ...preparation,
    cursor: page.cursor,
    isReady: page.cursor === '0',
    bytes: preparation.bytes + dumped.reduce((sum, { payload }) => sum + payload.length, 0),
    keys: (preparation.keys ?? 0) + dumped.length,
  };
}
