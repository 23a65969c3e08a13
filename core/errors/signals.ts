const ECHO_MS = 1_000;

/**
 * Whether a signal is the echo of the same one before it. One Ctrl-C comes from the terminal to all processes of its
 * group, and again from npx to the one that it started.
 *
 * @param beforeMs when the one before it counted; -Infinity if there was none
 */
export function isEcho(beforeMs: number, nowMs: number): boolean {
  return nowMs - beforeMs < ECHO_MS;
}

/** A process that was started, or was not: then it has no id. */
export interface Signalled<Signal> {
  readonly pid?: number | undefined;
  kill(signal: Signal): boolean;
}

/**
 * Sends a signal to a child process, if there is one. Where none could be made, Node.js before 24 sends it to the id 0, which is
 * the caller's whole process group.
 *
 * @returns whether it was sent
 * @see https://man7.org/linux/man-pages/man2/kill.2.html
 */
export function signalChild<Signal>(child: Signalled<Signal>, signal: Signal): boolean {
  return isProcess(child.pid) && child.kill(signal);
}

/** Whether this is the id of one process: 0 and less are groups, or all processes of the user. */
export function isProcess(pid: number | undefined): pid is number {
  return pid !== undefined && Number.isInteger(pid) && pid > 0;
}
