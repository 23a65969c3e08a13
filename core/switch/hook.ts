import type { Side } from '../traffic/weights';
import { oneLine } from '../text/one-line';

/**
 * What a hook is called for. `check` is of the preflight, and of a Lambda function alone: nothing may change. `prepare` and `discard` are
 * of a transfer of state: the copy before the hold, and what takes it back behind an abort.
 */
export type HookPart = 'check' | 'prepare' | 'freeze' | 'transfer' | 'verify' | 'thaw' | 'discard';

/** The body of a call over HTTP, and the event of a Lambda function. */
export interface HookCall {
  readonly part: HookPart;
  /** The side whose backend it is for. */
  readonly side: Side;
  /**
   * Of the switch. Calls may arrive late: a backend or function ignores those of a lower epoch than the last one that it has
   * followed, and a freeze behind the thaw of its own epoch. A late thaw would have what runs at a frozen side write again.
   */
  readonly epoch: number;
  readonly from: Side;
  readonly to: Side;
  readonly execution: string;
}

/** What came of one call, for the evidence. */
export interface HookCallRecord {
  readonly part: HookPart | 'probeWrite';
  readonly side: Side;
  readonly tookMs: number;
  /** Of state that was copied, and where the application counts them its keys. */
  readonly bytes?: number;
  readonly keys?: number;
  /** How often a copy went on behind a connection that broke. */
  readonly resumed?: number;
  /** Why it counts as failed. */
  readonly problem?: string;
}

export type HookResponse = { readonly digest?: string } | { readonly problem: string };

const MAX_SHOWN = 200;

/**
 * Reads what a hook responded: `{"ok": true, "epoch": 7}`, with the epoch of the call, and from `verify` a `digest` where it has
 * one; or `{"ok": false, "why": "…"}`. Everything else is no response of a hook: a page for all paths would be one otherwise.
 */
export function readHookResponse({ part, side, epoch }: HookCall, response: unknown): HookResponse {
  const { ok, epoch: of, why, digest } = asRecord(response);
  const name = `'${part}' of the ${side}`;
  if (ok === false && typeof why === 'string')
    return { problem: `${name} must succeed, got ${oneLine(why, MAX_SHOWN)}` };
  const isDigest = digest === undefined || typeof digest === 'string';
  if (ok === true && of === epoch && isDigest) return digest === undefined ? {} : { digest };
  const shown = typeof response === 'string' ? response : (JSON.stringify(response) ?? 'nothing');
  return { problem: `${name} must respond {"ok":true,"epoch":${epoch}}, got ${oneLine(shown, MAX_SHOWN)}` };
}

/** Both sides must say the same of what they hold. */
export function findDifference(digests: readonly (string | undefined)[]): string | undefined {
  const [first, ...others] = digests;
  if (others.every((each) => each === first)) return undefined;
  const shown = digests.map((each) => (each === undefined ? 'none' : `'${oneLine(each, 80)}'`)).join(' and ');
  return `'verify' must have one digest of both sides, got ${shown}`;
}

/**
 * Whether the status of a probe write says that writes are rejected. A redirect may follow a write that was accepted; a response
 * must be there.
 */
export function isRejectedWrite(status: number): boolean {
  return status >= 400;
}

function asRecord(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
