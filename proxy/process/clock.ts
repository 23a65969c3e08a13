/** Time and chance, which a test may own. */
export interface Clock {
  /** Milliseconds; only differences mean something. */
  readonly nowMs: () => number;
  /** Calls once, after `ms`. Returns how to call it off. */
  readonly after: (ms: number, call: () => void) => () => void;
  /** From [0, 1). */
  readonly random: () => number;
}

export const SYSTEM_CLOCK: Clock = {
  nowMs: () => performance.now(),
  after: (ms, call) => {
    const timer = setTimeout(call, ms);
    return () => clearTimeout(timer);
  },
  random: Math.random,
};
