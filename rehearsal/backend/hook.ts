import type { IncomingMessage } from 'node:http';
import { json } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import type { ShopResponse } from './shop';

/** Of a hook that takes its time; a switch goes wrong in it. */
const SLOW_MS = 700;

/**
 * What the state hook of a plan calls: `/hook/freeze`, `/hook/slow` (a freeze that takes 0.7 s), `/hook/thaw`, `/hook/write` for its
 * probe write, `/hook/fails`, `/hook/hangs` and `/hook/garbage` (a page, as a backend has for all paths). A backend that is frozen
 * rejects writes with 423. Hooks of phases may call `/hook/passes`, `/hook/waits` (it says not yet twice), and those that fail.
 */
export class Hook {
  isFrozen = false;
  /** Of the call that acted last. */
  private last = { epoch: 0, isThaw: false };

  /** @returns undefined for a path that is not a hook's */
  respond({ method, url = '' }: IncomingMessage, read: () => Promise<unknown>): Promise<ShopResponse> | undefined {
    const [, name = ''] = /^\/hook\/(\w+)$/.exec(url) ?? [];
    const act = this.acts[name];
    if (!act) return undefined;
    return method === 'OPTIONS' ? Promise.resolve({ status: 200, body: {} }) : act(read);
  }

  private readonly acts: Readonly<Record<string, (read: () => Promise<unknown>) => Promise<ShopResponse>>> = {
    freeze: async (read) => this.freeze(await read()),
    slow: async (read) => {
      const call = await read();
      await delay(SLOW_MS);
      return this.freeze(call);
    },
    thaw: async (read) => this.follow(findEpoch(await read()), true),
    write: () => Promise.resolve({ status: this.isFrozen ? 423 : 200, body: {} }),
    passes: async (read) => ({ status: 200, body: { ok: true, key: findKey(await read()) } }),
    waits: async (read) => {
      const call = await read();
      if (findCall(call) <= 2) return { status: 200, body: { hookStatus: 'IN_PROGRESS', callBackDelay: 1 } };
      return { status: 200, body: { hookStatus: 'SUCCEEDED', key: findKey(call) } };
    },
    fails: () => Promise.resolve({ status: 500, body: { ok: false, why: 'it fails on request' } }),
    hangs: () => new Promise(() => undefined),
    garbage: () => Promise.resolve({ status: 200, body: '<h1>Welcome</h1>' }),
  };

  private freeze(call: unknown): ShopResponse {
    return this.follow(findEpoch(call), false);
  }

  /** Calls may arrive late: within an epoch a thaw comes after a freeze. */
  private follow(epoch: number, isThaw: boolean): ShopResponse {
    const { last } = this;
    const isLate = epoch < last.epoch || (epoch === last.epoch && last.isThaw && !isThaw);
    if (isLate) return { status: 200, body: { ok: false, why: `a call of epoch ${last.epoch} came before` } };
    this.last = { epoch, isThaw };
    this.isFrozen = !isThaw;
    return { status: 200, body: { ok: true, epoch } };
  }
}

function findEpoch(call: unknown): number {
  return Number((call as { epoch?: unknown } | undefined)?.epoch ?? 0);
}

function findKey(call: unknown): unknown {
  return (call as { key?: unknown } | undefined)?.key;
}

function findCall(call: unknown): number {
  return Number((call as { call?: unknown } | undefined)?.call ?? 1);
}

/** The body of a request as JSON; undefined where it is none. */
export function readJson(request: IncomingMessage): Promise<unknown> {
  return json(request).catch(() => undefined);
}
