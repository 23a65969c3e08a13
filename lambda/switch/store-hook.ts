import type { ValkeyPlan, StatePlan } from '../../core/plan/state-plan';
import { describeDifferences } from '../../core/state/differences';
import type { Side } from '../../core/traffic/weights';
import { settle, settleWithin } from '../contract/settle';
import type { KeyStore, KeyStoresPort } from '../contract/store-ports';
import type { Carried } from '../state/carrier';
import { StoreSync } from '../state/store-sync';
import { discardCopy, findPattern, openStores, releaseStore } from '../state/stores';
import { notePart, passPart } from './hook-parts';
import type { HookContext, SwitchHook, Way } from './switch-hook';

export interface StoreHookMeans {
  readonly stores: KeyStoresPort;
  now(): number;
  pause(milliseconds: number): Promise<void>;
}

interface Plan extends StatePlan {
  readonly valkey: ValkeyPlan;
}

/** Of a connection, and of a command before and behind the hold. */
const STORE_MS = 5_000;
const DISCARD_MS = 8_000;
const THAW_ATTEMPTS = 3;
const THAW_PAUSE_MS = 200;

/** The state is in the stores of both sides. No proxy takes part, and a store that is frozen keeps writes waiting. */
export class StoreHook implements SwitchHook {
  /** A write that waits is none that was shown to be rejected. */
  readonly fences = false;
  readonly thawMs: number;
  private sync: StoreSync | undefined;
  private source: KeyStore | undefined;

  /**
   * @param maxPauseMs the longest that writes to a frozen store wait
   * @param carries whether the state goes along: a rollback may leave it where it is
   */
  constructor(
    private readonly plan: Plan,
    private readonly maxPauseMs: number,
    private readonly means: StoreHookMeans,
    private readonly carries: boolean,
  ) {
    this.thawMs = THAW_ATTEMPTS * (plan.timeoutMs.thaw + THAW_PAUSE_MS);
  }

  async begin(way: Way, limitMs: number): Promise<void> {
    if (!this.carries) return;
    const endMs = this.means.now() + limitMs;
    const stores = await openStores(this.plan.valkey, way, this.means.stores, STORE_MS);
    this.source = stores.from;
    this.sync = new StoreSync(this.plan.valkey, stores, way, way.execution, () => this.means.now());
    await this.sync.begin(endMs);
  }

  async close(): Promise<void> {
    const { sync } = this;
    this.sync = undefined;
    await sync?.close();
  }

  async run(context: HookContext): Promise<void> {
    if (!this.carries) return;
    const { sync, source } = this;
    if (!sync || !source) throw new Error('the stores must have been compared before the hold, got a hold without it');
    await this.do('freeze', context.from, context, async () => {
      await source.freeze(this.maxPauseMs);
      return {};
    });
    await this.do('transfer', context.to, context, () => sync.copyRest());
    await this.do('verify', context.to, context, async () => {
      const { keys, differences } = await sync.verify();
      return { keys, ...(differences && { problem: describeDifferences(differences) }) };
    });
  }

  async thaw(side: Side, context: HookContext): Promise<string | undefined> {
    const limitMs = this.plan.timeoutMs.thaw;
    for (let attempt = 1; ; attempt += 1) {
      const { problem } = await notePart('thaw', side, context, async () => {
        const ended = await settleWithin(limitMs, `'thaw' of the ${side}`, () =>
          this.withStore(side, limitMs, async (store) => {
            await store.thaw();
            // It is its own from here on.
            if (side === context.to) await releaseStore(store);
          }),
        );
        return 'problem' in ended ? ended : {};
      });
      if (problem === undefined || attempt === THAW_ATTEMPTS) return problem;
      await this.means.pause(THAW_PAUSE_MS);
    }
  }

  async discard(context: HookContext): Promise<string | undefined> {
    const { to, execution } = context;
    const { problem } = await notePart('discard', to, context, async () => {
      // What it still copies would come behind it.
      await settle(() => this.close());
      const ended = await settleWithin(DISCARD_MS, `'discard' of the ${to}`, () =>
        this.withStore(to, STORE_MS, (store) => discardCopy(store, to, findPattern(this.plan.valkey), execution)),
      );
      if ('problem' in ended) return ended;
      return ended.value === undefined ? {} : { problem: ended.value };
    });
    return problem;
  }

  private async withStore<T>(side: Side, limitMs: number, use: (store: KeyStore) => Promise<T>): Promise<T> {
    const store = await this.means.stores.open(this.plan.valkey[side], limitMs);
    try {
      return await use(store);
    } finally {
      store.close();
    }
  }

  private async do(
    part: 'freeze' | 'transfer' | 'verify',
    side: Side,
    context: HookContext,
    work: () => Promise<Carried>,
  ): Promise<void> {
    await passPart(part, side, context, async () => {
      const ended = await settleWithin(this.plan.timeoutMs[part], `'${part}' of the state`, work);
      return 'problem' in ended ? ended : ended.value;
    });
  }
}
