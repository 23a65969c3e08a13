import { begin } from '../../../core/cutover/run';
import { CutoverError } from '../../../core/errors/errors';
import { LAST_CALL_SECONDS, LockHolder, describeHolder } from '../../../core/traffic/lock';
import { parsePlan } from '../../../core/plan/plan';
import type { StorePort } from '../../contract/ports';
import type { LockPort } from '../../contract/weighted-rule-ports';
import { storePort } from './store';

export interface LockOptions {
  /** How long the lock lasts when its holder is interrupted. */
  readonly seconds: number;
  /** Told of a lock that could not be given back. */
  readonly warn: (message: string) => void;
  /** Ends all calls but the one that gives the lock back. */
  readonly signal?: AbortSignal;
}

/** The lock of a cutover, for work on its rule that is no cutover: a deployment, or a person. */
export function lockPort(bucket: string, options: LockOptions): LockPort {
  const store = storePort(bucket, options.signal);
  return {
    heldByAnother: async (execution) => {
      const run = await unlessGone(() => store.holder());
      if (!run || run.execution === execution || run.hasExpired) return undefined;
      return { ...run, ...(run.initial && { watchedRuleArns: Object.keys(run.initial.others) }) };
    },
    holding: async (execution, work) => {
      const nowMs = Date.now();
      const expiresAt = new Date(nowMs + options.seconds * 1000).toISOString();
      const untilMs = nowMs + (options.seconds - LAST_CALL_SECONDS) * 1000;
      const lock = { ...begin(execution, new Date(nowMs).toISOString(), parsePlan({})), expiresAt };
      const done = await settle(async () => {
        await unlessGone(() => store.acquire(lock));
        return work({ untilMs, check: () => check(store, lock, untilMs) });
      });
      // Also what was not acquired: the lock may be there, and the response lost.
      const released = await settle(() => unlessGone(() => storePort(bucket).release(execution)));
      const kept =
        'error' in released &&
        `the lock '${execution}' in '${bucket}' must be given back, got ${formatMessage(released.error)}; it ends by itself at ${expiresAt}`;
      if ('error' in done) throw kept ? new Error(`${formatMessage(done.error)}; and ${kept}`) : done.error;
      if (kept) options.warn(kept);
      return done.value;
    },
  };
}

/** @throws CutoverError `LockLost` */
async function check(store: StorePort, lock: LockHolder, untilMs: number): Promise<void> {
  const read = await unlessGone(async () => ({ holder: await store.holder() }));
  if (!read || (read.holder?.execution === lock.execution && Date.now() < untilMs)) return;
  const got = read.holder ? `one ${describeHolder(read.holder)}` : 'none';
  throw new CutoverError(
    'LockLost',
    `the lock must be held by '${lock.execution}' until it has changed something, got ${got}`,
  );
}

type Settled<T> = { readonly value: T } | { readonly error: unknown };

async function settle<T>(work: () => Promise<T>): Promise<Settled<T>> {
  try {
    return { value: await work() };
  } catch (error) {
    return { error };
  }
}

/** A store that is gone locks nothing: its stack can still be deleted. */
async function unlessGone<T>(call: () => Promise<T>): Promise<T | undefined> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof Error && error.name === 'NoSuchBucket') return undefined;
    throw error;
  }
}

function formatMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
