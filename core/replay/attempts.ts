/** How one attempt to send a request ended. */
export type AttemptEnd =
  /** A response came. */
  | { readonly kind: 'response'; readonly status: number }
  /** It was sent, and no response came. */
  | { readonly kind: 'broken'; readonly problem: string }
  /** There was no connection to send it on. */
  | { readonly kind: 'unreached'; readonly problem: string };

export interface RetryRules {
  /** After so many attempts that count, a request is parked. */
  readonly maxAttempts: number;
  /** Without a response of the target for so long, the replay stops. */
  readonly maxOutageMs: number;
}

/** Those that say that another attempt may succeed. @see RFC 9110 section 15.6 */
const RETRIED = new Set([502, 503, 504]);
const FIRST_PAUSE_MS = 250;
const MAX_PAUSE_MS = 10_000;
/** So many that fail for the whole of an outage are the reason for it, not its victims. */
const MAX_SUSPECTS = 10;

export type Next =
  | { readonly kind: 'done' }
  | { readonly kind: 'again'; readonly pauseMs: number }
  | { readonly kind: 'park'; readonly problem: string }
  | { readonly kind: 'stop'; readonly problem: string };

interface Failing {
  attempts: number;
  tries: number;
  /** How many requests had a response at its last failure. */
  seen: number;
  isReached: boolean;
}

/**
 * Tells a request that fails from a target that fails. An attempt counts against a request only when others got a response since its
 * last one, or when no other one fails. So no request is parked because the target was away.
 */
export class Attempts {
  private readonly failing = new Map<string, Failing>();
  private responses = 0;
  private outageMs: number | undefined;

  constructor(private readonly rules: RetryRules) {}

  /** Since when no request has got a response although some were sent; undefined where that is not so. */
  get outageSinceMs(): number | undefined {
    return this.outageMs;
  }

  judge(id: string, end: AttemptEnd, nowMs: number): Next {
    if (end.kind === 'response' && !RETRIED.has(end.status)) {
      this.failing.delete(id);
      this.responses += 1;
      this.outageMs = undefined;
      return { kind: 'done' };
    }
    const problem = end.kind === 'response' ? `status ${end.status}` : end.problem;
    this.outageMs ??= nowMs;
    const failing = this.failing.get(id) ?? { attempts: 0, tries: 0, seen: -1, isReached: false };
    this.failing.set(id, failing);
    const counts = failing.seen < this.responses || this.failing.size === 1;
    failing.isReached = end.kind !== 'unreached';
    if (counts && failing.isReached) failing.attempts += 1;
    failing.tries += 1;
    failing.seen = this.responses;
    if (failing.attempts >= this.rules.maxAttempts)
      return this.park(id, `${failing.attempts} attempts failed, the last one with ${problem}`);
    const outageMs = nowMs - this.outageMs;
    if (outageMs >= this.rules.maxOutageMs) return this.endOutage(id, failing, problem, outageMs);
    return { kind: 'again', pauseMs: Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(10, failing.tries - 1)) };
  }

  /** It will not be sent again. */
  forget(id: string): void {
    this.failing.delete(id);
  }

  private park(id: string, problem: string): Next {
    this.failing.delete(id);
    return { kind: 'park', problem };
  }

  private endOutage(id: string, { isReached }: Failing, problem: string, outageMs: number): Next {
    const seconds = Math.round(outageMs / 1000);
    if (isReached && this.failing.size <= MAX_SUSPECTS)
      return this.park(id, `no attempt succeeded in ${seconds} s, the last one failed with ${problem}`);
    return { kind: 'stop', problem: `the target must respond within ${seconds} s, got ${problem}` };
  }
}
