import { signalChild } from '../../core/errors/signals';
import type { Side } from '../../core/traffic/weights';
import { startEntry } from '../processes/entry';

/** What a side does wrong while it still responds. */
export interface Degraded {
  /** Of its requests, so many get 500: 0–1. @default 0 */
  readonly errorShare?: number;
  /** Each response is so late. @default 0 */
  readonly delayMs?: number;
  /** What becomes of the calls of a hook between two phases. @default - they are responded to */
  readonly hook?: HookFault;
  /** What becomes of WebSockets that a proxy moves here: rejected, or accepted so many milliseconds later. @default - accepted at once */
  readonly resumption?: 'rejected' | number;
}

/** Of a handshake with which a proxy moves a connection: the token that its backend gave. */
export const RESUME_HEADER = 'x-drainshift-resume';
/** Offered with every handshake, and given in its response. */
export const TOKEN_HEADER = 'x-drainshift-resume-token';

export type HookFault = 'no' | 'garbage' | 'notYet' | 'hangs';

/** The bodies of such responses, which have status 200. */
export const HOOK_BODIES: Readonly<Record<Exclude<HookFault, 'hangs'>, string>> = {
  no: JSON.stringify({ ok: false, why: 'a fault of the rehearsal' }),
  garbage: '<h1>Welcome</h1>',
  notYet: JSON.stringify({ hookStatus: 'IN_PROGRESS', callBackDelay: 1 }),
};

/** Whether it is a hook's call, and not a request of a client or the preflight's OPTIONS. */
export function isHookCall(method: string, userAgent: string | undefined): boolean {
  return method === 'POST' && userAgent === 'drainshift-hook';
}

/** A backend that can be broken. */
export interface FaultySide {
  /** It is gone at once, with its connections. */
  kill(): void;
  /** Connections are accepted, and nothing responds. */
  freeze(): void;
  degrade(how: Degraded): void;
}

export interface RelayOptions {
  readonly side: Side;
  /** Of the backend behind it. */
  readonly url: string;
  readonly seed: number;
}

export interface Relay extends FaultySide {
  readonly url: string;
  stop(): Promise<void>;
}

/** A relay before a backend, that is broken in its place: a user's own backend is left alone. */
export async function startRelay(options: RelayOptions): Promise<Relay> {
  const entry = await startEntry<{ url: string }>('backend/relay', options);
  const { ready, process: child } = entry;
  return {
    url: ready.url,
    kill: () => void signalChild(child, 'SIGKILL'),
    freeze: () => void signalChild(child, 'SIGSTOP'),
    degrade: (how) => {
      if (child.connected) child.send(how, () => undefined);
    },
    stop: () => entry.stop(FROZEN_GRACE_MS),
  };
}

/** One that is frozen hears no SIGTERM. */
const FROZEN_GRACE_MS = 1_000;
