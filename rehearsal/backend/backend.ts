import type { SmokeRequest } from '../../core/plan/plan';
import { Side } from '../../core/traffic/weights';
import { startEntry } from '../processes/entry';

export interface BackendOptions {
  readonly side: Side;
  /** Of `startStore`: both sides are given the same. @default - it keeps all in its own memory */
  readonly storeUrl?: string;
  /** Of a process that may come to run on the host of the other side: it sees by it where a request comes from. */
  readonly addresses?: Readonly<Record<Side, string>>;
  /** @default 127.0.0.1 */
  readonly host?: string;
  /** @default - any free one */
  readonly port?: number;
  /** Where its state goes along in a switch: it is in its own memory then. @default - in the store, which both sides share */
  readonly statePath?: string;
  /** The Valkey or Redis of its side. @default - the store, which both sides share */
  readonly valkeyUrl?: string;
  /** Pages of a user's own plan, which this app responds as the plan expects. */
  readonly smoke?: readonly SmokeRequest[];
}

export interface Running {
  readonly url: string;
  /** To harm it from outside. */
  readonly pid: number | undefined;
  /** Ends it in good order. */
  stop(): Promise<void>;
}

/** One side's backend: a small stateful web app in a process of its own, on a free loopback port. */
export async function startBackend(options: BackendOptions): Promise<Running> {
  const entry = await startEntry<{ url: string }>('backend/app', options);
  return { url: entry.ready.url, pid: entry.process.pid, stop: () => entry.stop() };
}
