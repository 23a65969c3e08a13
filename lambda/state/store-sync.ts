import type { ValkeyPlan } from '../../core/plan/state-plan';
import { Comparison, Differences, compareKeys } from '../../core/state/differences';
import type { Side } from '../../core/traffic/weights';
import type { KeyName, KeyState, KeyWatch } from '../contract/store-ports';
import { Stores, findGuard, findPattern, listPages, withoutMarker } from './stores';

/** Two clocks, and the time between two readings: a key that expires now may be there at one side only. */
const CLOCKS_MS = 1_000;
const PAGE = 500;
/** Of what changes while it is compared. What is left then is of the hold. */
const MAX_ROUNDS = 5;
const FEW_KEYS = 100;

interface Pair {
  readonly key: KeyName;
  readonly from: KeyState | undefined;
  readonly to: KeyState | undefined;
}

export interface Synced {
  readonly keys: number;
  readonly bytes: number;
}

/**
 * Makes two stores equal, and shows it. Before the hold each key is compared once, while both stores say which keys change from then
 * on. In the hold only those are read again. Where a store does not say it, the hold compares all.
 */
export class StoreSync {
  private readonly pattern: string;
  private watches: readonly KeyWatch[] | undefined;
  /** Equal at both sides when they were last compared. */
  private readonly equal = new Set<KeyName>();
  /** To be compared. */
  private open = new Set<KeyName>();

  constructor(
    plan: ValkeyPlan,
    private readonly stores: Stores,
    private readonly way: { readonly from: Side; readonly to: Side },
    private readonly execution: string,
    private readonly now: () => number,
  ) {
    this.pattern = findPattern(plan);
  }

  /** Before the hold. @throws Error when it has not ended by then */
  async begin(endMs: number): Promise<void> {
    const { from, to } = this.stores;
    const watches = await Promise.all([from.watch(this.pattern), to.watch(this.pattern)]);
    const there = watches.flatMap((each) => each ?? []);
    if (there.length === 2) this.watches = there;
    else await Promise.all(there.map((each) => each.close()));
    await this.copyAll(endMs);
    for (let round = 0; round < MAX_ROUNDS && this.watches; round += 1) {
      await this.takeChanges();
      if (this.open.size <= FEW_KEYS) return;
      await this.copyOpen(endMs);
    }
  }

  /** In the hold: what has changed since. */
  async copyRest(): Promise<Synced> {
    if (!this.watches) return this.copyAll(Infinity);
    await this.takeChanges();
    return this.copyOpen(Infinity);
  }

  /** In the hold, behind the rest: nothing is written. */
  async verify(): Promise<{ readonly keys: number; readonly differences?: Differences }> {
    if (!this.watches) return this.compareAll();
    await this.findMissing();
    await this.takeChanges();
    const pairs = await this.compare([...this.open]);
    return this.report(pairs);
  }

  async close(): Promise<void> {
    await Promise.all((this.watches ?? []).map((each) => each.close()));
    this.stores.close();
  }

  private async takeChanges(): Promise<void> {
    const taken = await Promise.all((this.watches ?? []).map((each) => each.take()));
    for (const key of withoutMarker(taken.flatMap((keys) => [...keys]))) this.reopen(key);
  }

  private reopen(key: KeyName): void {
    this.equal.delete(key);
    this.open.add(key);
  }

  /** A database that was emptied as a whole says no keys. */
  private async findMissing(): Promise<void> {
    for (const keys of inPages([...this.equal])) {
      const counts = await Promise.all([this.stores.from.count(keys), this.stores.to.count(keys)]);
      if (counts.some((count) => count < keys.length)) keys.forEach((key) => this.reopen(key));
    }
  }

  private async copyAll(endMs: number): Promise<Synced> {
    const { from, to } = this.stores;
    this.equal.clear();
    this.open.clear();
    let synced: Synced = { keys: 0, bytes: 0 };
    const copy = async (keys: readonly KeyName[]) => {
      this.checkTime(endMs);
      synced = add(synced, await this.copyKeys(keys));
    };
    for await (const keys of listPages(from, this.pattern)) await copy(keys);
    for await (const keys of listPages(to, this.pattern)) {
      const others = keys.filter((key) => !this.equal.has(key) && !this.open.has(key));
      if (others.length > 0) await copy(others);
    }
    return synced;
  }

  private async copyOpen(endMs: number): Promise<Synced> {
    let synced: Synced = { keys: 0, bytes: 0 };
    const keys = [...this.open];
    this.open = new Set();
    for (const page of inPages(keys)) {
      this.checkTime(endMs);
      synced = add(synced, await this.copyKeys(page));
    }
    return synced;
  }

  /** Those that differ; they are compared again before they count as equal. */
  private async copyKeys(keys: readonly KeyName[]): Promise<Synced> {
    const { from, to } = this.stores;
    const pairs = await this.compare(keys);
    const differing: KeyName[] = [];
    for (const pair of pairs) {
      if (this.isEqual(pair)) {
        if (pair.from && pair.to) this.equal.add(pair.key);
      } else {
        this.reopen(pair.key);
        differing.push(pair.key);
      }
    }
    if (differing.length === 0) return { keys: 0, bytes: 0 };
    const dumped = await from.dump(differing);
    const guard = await findGuard(to, this.execution);
    await to.restore(dumped, guard);
    const there = new Set(dumped.map(({ key }) => key));
    await to.remove(
      differing.filter((key) => !there.has(key)),
      guard,
    );
    return { keys: differing.length, bytes: dumped.reduce((sum, { payload }) => sum + payload.length, 0) };
  }

  private async compareAll(): Promise<{ readonly keys: number; readonly differences?: Differences }> {
    const { from, to } = this.stores;
    const seen = new Set<KeyName>();
    const pairs: Pair[] = [];
    for (const store of [from, to]) {
      for await (const page of listPages(store, this.pattern)) {
        const keys = page.filter((key) => !seen.has(key));
        keys.forEach((key) => seen.add(key));
        const compared = await this.compare(keys);
        pairs.push(...compared.filter((pair) => !this.isEqual(pair)));
      }
    }
    return this.report(pairs, seen.size);
  }

  private async compare(keys: readonly KeyName[]): Promise<Pair[]> {
    const pairs: Pair[] = [];
    for (const page of inPages(keys)) {
      const [from, to] = await Promise.all([this.stores.from.digest(page), this.stores.to.digest(page)]);
      pairs.push(...page.map((key, at) => ({ key, from: from[at], to: to[at] })));
    }
    return pairs;
  }

  private isEqual({ from, to }: Pair): boolean {
    if (from && to) return from.digest === to.digest && from.expiresAtMs === to.expiresAtMs;
    const there = from ?? to;
    return !there || (there.expiresAtMs ?? Infinity) <= this.now() + CLOCKS_MS;
  }

  private report(pairs: readonly Pair[], all?: number): { readonly keys: number; readonly differences?: Differences } {
    const comparison = new Comparison([this.way.from, this.way.to]);
    const shown = pairs
      .filter((pair) => !this.isEqual(pair))
      .map(({ key, from, to }) => ({ key: Buffer.from(key, 'latin1').toString(), from, to }))
      .toSorted((a, b) => compareKeys(a.key, b.key));
    for (const { key, from, to } of shown) {
      comparison.take(from && { key, digest: describe(from) }, to && { key, digest: describe(to) });
    }
    const keys = all ?? this.equal.size + pairs.filter(({ from }) => from).length;
    return comparison.differences.count === 0 ? { keys } : { keys, differences: comparison.differences };
  }

  private checkTime(endMs: number): void {
    if (this.now() < endMs) return;
    throw new Error(
      `all keys must be compared in the time that a step has before the hold, got ${this.equal.size} in it`,
    );
  }
}

function describe({ digest, expiresAtMs }: KeyState): string {
  return `${digest} ${expiresAtMs}`;
}

function add(a: Synced, b: Synced): Synced {
  return { keys: a.keys + b.keys, bytes: a.bytes + b.bytes };
}

function inPages(keys: readonly KeyName[]): KeyName[][] {
  return Array.from({ length: Math.ceil(keys.length / PAGE) }, (_, at) => keys.slice(at * PAGE, (at + 1) * PAGE));
}
