import type { StatePlan, ValkeyPlan } from '../../core/plan/state-plan';
import { describeDifferences } from '../../core/state/differences';
import { ServerState, compareCounts, findLag, findReplica } from '../../core/state/replication';
import type { Side } from '../../core/traffic/weights';
import { settle, settleWithin } from '../contract/settle';
import type { StoreServer } from '../contract/store-ports';
import type { Carried } from '../state/carrier';
import { compareSample } from '../state/replica-sample';
import { Servers, countReplicated, discardReplica, findUnready, openEach, openServers } from '../state/replicas';
import { StorePromotion } from '../state/store-promotion';
import type { StoreHookMeans } from './store-hook';
import { notePart, passPart } from './hook-parts';
import type { HookContext, SwitchHook, Way } from './switch-hook';

interface Plan extends StatePlan {
  readonly valkey: ValkeyPlan;
}

/** Of a connection, and of a command before and behind the hold. */
const STORE_MS = 5_000;
const DISCARD_MS = 8_000;
const THAW_ATTEMPTS = 3;
const THAW_PAUSE_MS = 200;
const LOOK_MS = 5;
/** Of the time of a part, what is used by what may say why it did not come to its end. */
const WITHIN = 0.9;

/**
 * The store of the side that comes replicates the other one, and takes its place behind the decision (`docs/decisions/0023`). Before it nothing is
 * done that an abort would have to undo at the store that serves, but a pause.
 */
export class ReplicaHook implements SwitchHook {
  /** A write that waits is none that was shown to be rejected. */
  readonly fences = false;
  readonly thawMs: number;
  private servers: Servers | undefined;

  /**
   * @param maxPauseMs the longest that writes to a frozen store wait
   * @param will `carries`: whether the state is verified. `mayLose`: whether the plan gives up the writes of the side that a rollback leaves
   */
  constructor(
    private readonly plan: Plan,
    private readonly maxPauseMs: number,
    private readonly means: StoreHookMeans,
    private readonly will: { readonly carries: boolean; readonly mayLose: boolean },
  ) {
    this.thawMs = THAW_ATTEMPTS * (plan.timeoutMs.thaw + THAW_PAUSE_MS);
  }

  async begin(way: Way): Promise<void> {
    if (!this.will.carries) return;
    const servers = await openServers(this.plan.valkey, way, this.means.stores, STORE_MS);
    this.servers = servers;
    const [left, next] = await readBoth(servers);
    const why = findUnready(left, next, servers);
    if (why !== undefined)
      throw new Error(`the store of the ${way.to} must replicate that of the ${way.from}, got ${why}`);
    const differences = await compareSample(servers, way, (milliseconds) => this.means.pause(milliseconds));
    if (differences) throw new Error(describeDifferences(differences));
  }

  close(): Promise<void> {
    this.servers?.close();
    this.servers = undefined;
    return Promise.resolve();
  }

  async run(context: HookContext): Promise<void> {
    if (!this.will.carries) return;
    const { servers } = this;
    if (!servers) throw new Error('the stores must have been compared before the hold, got a hold without it');
    await this.do('freeze', context.from, context, async () => {
      await servers.from.freeze(this.maxPauseMs);
      return {};
    });
    await this.do('transfer', context.to, context, (isOver) => this.awaitRest(servers, isOver));
    await this.do('verify', context.to, context, () => this.compare(servers));
  }

  async thaw(side: Side, context: HookContext): Promise<string | undefined> {
    const limitMs = this.plan.timeoutMs.thaw;
    for (let attempt = 1; ; attempt += 1) {
      const { problem } = await notePart('thaw', side, context, () =>
        this.within(limitMs, `'thaw' of the ${side}`, async (isOver) => {
          if (side === context.to) await this.promote(context, attempt, limitMs, isOver);
          else await this.thawLeft(side, limitMs);
          return {};
        }),
      );
      if (problem === undefined || attempt === THAW_ATTEMPTS) return problem;
      await this.means.pause(THAW_PAUSE_MS);
    }
  }

  async discard(context: HookContext): Promise<string | undefined> {
    const { from, to } = context;
    const { problem } = await notePart('discard', to, context, async () => {
      await this.close();
      return this.within(DISCARD_MS, `'discard' of the ${to}`, async () => {
        const opened = await openEach(this.plan.valkey, this.means.stores, STORE_MS);
        try {
          const problem = await discardReplica({ from: opened[from].server, to: opened[to].server }, context);
          return problem === undefined ? {} : { problem };
        } finally {
          closeEach(opened);
        }
      });
    });
    return problem;
  }

  /** All that was written is at the replica, and acknowledged where that comes in time: then the failover waits for nothing. */
  private async awaitRest(servers: Servers, isOver: () => boolean): Promise<Carried> {
    const [{ offset: writtenBytes }, { offset: appliedBytes }] = await readBoth(servers);
    const bytes = Math.max(0, writtenBytes - appliedBytes);
    const isLate = this.limit('transfer');
    for (;;) {
      const [left, next] = await readBoth(servers);
      const lag = findLag(left, next, writtenBytes);
      const acknowledged = findReplica(left, servers.to.place)?.offset ?? 0;
      if (lag === undefined && (acknowledged >= writtenBytes || isLate())) return { bytes };
      if (isLate() || isOver()) return { problem: `all that was written must be at the replica, got ${lag}` };
      await this.means.pause(LOOK_MS);
    }
  }

  /** Both have the same history up to the same byte; how many keys they have must agree, too. */
  private async compare(servers: Servers): Promise<Carried> {
    const isLate = this.limit('verify');
    for (;;) {
      const [left, next] = await readBoth(servers);
      const problem = findLag(left, next, left.offset) ?? compareCounts(left, next);
      if (problem === undefined) return { keys: countReplicated(next) };
      // Where writes could not be kept away, one may have been between the two.
      if (isLate()) return { problem: `both stores must hold the same, got ${problem}` };
      await this.means.pause(LOOK_MS);
    }
  }

  /** Some time before the one that the plan has for a part, so that what is said is why. */
  private limit(part: 'transfer' | 'verify'): () => boolean {
    const untilMs = performance.now() + WITHIN * this.plan.timeoutMs[part];
    return () => performance.now() >= untilMs;
  }

  /** Behind an abort. Nothing was done to it but the pause. */
  private async thawLeft(side: Side, limitMs: number): Promise<void> {
    const store = await this.means.stores.openServer(this.plan.valkey[side], limitMs);
    try {
      await store.thaw();
      const { role } = await store.readState();
      if (role !== 'primary') throw new Error(`the store of the ${side} must be a primary, got a ${role}`);
    } finally {
      store.close();
    }
  }

  /** Behind a commit: it may be done twice, and by two at a time. */
  private async promote(context: HookContext, attempt: number, limitMs: number, isOver: () => boolean): Promise<void> {
    const opened = await openEach(this.plan.valkey, this.means.stores, limitMs);
    try {
      const { [context.to]: next, [context.from]: left } = opened;
      if (!next.server) throw new Error(await describeDead(context, next.problem, left.server));
      const promotion = new StorePromotion(next.server, left.server, context, {
        ...{ attempt, isLast: attempt === THAW_ATTEMPTS, mayLose: this.will.mayLose },
        ...{ failoverMs: Math.round(WITHIN * limitMs), pauseMs: this.maxPauseMs, isOver },
        pause: () => this.means.pause(LOOK_MS),
      });
      await promotion.run();
    } finally {
      closeEach(opened);
    }
  }

  private async do(
    part: 'freeze' | 'transfer' | 'verify',
    side: Side,
    context: HookContext,
    work: (isOver: () => boolean) => Promise<Carried>,
  ): Promise<void> {
    const limitMs = this.plan.timeoutMs[part];
    await passPart(part, side, context, () => this.within(limitMs, `'${part}' of the state`, work));
  }

  /** @param work what it does behind its time comes to nothing: it asks before it changes anything */
  private async within(
    limitMs: number,
    what: string,
    work: (isOver: () => boolean) => Promise<Carried>,
  ): Promise<Carried> {
    let isOver = false;
    const ended = await settleWithin(limitMs, what, () => work(() => isOver));
    isOver = true;
    return 'problem' in ended ? ended : ended.value;
  }
}

function readBoth({ from, to }: Servers): Promise<[ServerState, ServerState]> {
  return Promise.all([from.readState(), to.readState()]);
}

/** A store that dies once it has become the primary has left a replica behind, and no primary. */
async function describeDead({ from, to }: Way, problem = 'no response', left?: StoreServer): Promise<string> {
  const rule = `the store of the ${to} must become a primary, got: ${problem}`;
  const read = left && (await settle(() => left.readState()));
  if (!read || !('value' in read) || read.value.role === 'primary') return rule;
  return `${rule}; that of the ${from} is its replica, so no store is a primary: start that of the ${to}, or make that of the ${from} one by REPLICAOF NO ONE`;
}

function closeEach(opened: Awaited<ReturnType<typeof openEach>>): void {
  for (const { server } of Object.values(opened)) server?.close();
}
