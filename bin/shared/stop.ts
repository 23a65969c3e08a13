import { EXIT_CODES } from '../../core/errors/exit-codes';
import { CutoverError } from '../../core/errors/errors';
import { OutputGone } from '../../rehearsal/cli/output-gone';

/** How a command learns that it is to stop. */
export interface Stop {
  readonly signal: AbortSignal;
  /**
   * Right before the first thing that it changes. Until then a stop ends the command at once; from then on the command ends
   * in order by itself.
   *
   * @throws CutoverError `Aborted` where it was stopped already
   */
  endInOrder(): void;
}

/**
 * Aborted by Ctrl-C, by a signal, and when no reader of the output is left.
 *
 * @param onSecond called before a second signal ends the process at once
 */
export function listenForStop(onSecond: () => void = () => undefined): AbortSignal {
  const stopped = new AbortController();
  let asked = 0;
  const stop = () => {
    asked += 1;
    if (asked > 1) {
      onSecond();
      process.exit(EXIT_CODES.failed.code);
    }
    stopped.abort();
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop);
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => stopped.abort(new OutputGone()));
  return stopped.signal;
}

/** A closed pipe (`| head -1`) is no crash: what is written to it goes nowhere. */
export function ignoreClosedPipes(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
}

/**
 * The work, until it is asked to stop.
 *
 * @param rest for a message: what becomes of the work
 * @throws CutoverError `Aborted` when it is asked to stop
 */
export async function untilStopped<T>(work: Promise<T>, signal: AbortSignal, rest: string): Promise<T> {
  let leave = () => {};
  const stopped = new Promise<never>((_, reject) => {
    leave = () => reject(new CutoverError('Aborted', rest));
    signal.addEventListener('abort', leave, { once: true });
    if (signal.aborted) leave();
  });
  try {
    return await Promise.race([work, stopped]);
  } finally {
    signal.removeEventListener('abort', leave);
  }
}

/** @param rest for a message: what a command that is stopped in time has not done */
export async function runUntilStopped<T>(
  work: (stop: Stop) => Promise<T>,
  signal: AbortSignal,
  rest: string,
): Promise<T> {
  const message = `stopped: ${rest}`;
  const early = new AbortController();
  const stopEarly = () => early.abort();
  signal.addEventListener('abort', stopEarly, { once: true });
  const endInOrder = () => {
    if (signal.aborted) throw new CutoverError('Aborted', message);
    signal.removeEventListener('abort', stopEarly);
  };
  return untilStopped(work({ signal, endInOrder }), early.signal, message);
}
