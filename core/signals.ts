const ECHO_MS = 1_000;

/**
 * Whether a signal is the echo of the same one before it. One Ctrl-C comes from the terminal to all processes of its
 * group, and again from npx to the one that it started.
 *
 * @param beforeMs when the one before it was heeded; -Infinity if there was none
 */
export function isEcho(beforeMs: number, nowMs: number): boolean {
  return nowMs - beforeMs < ECHO_MS;
}
