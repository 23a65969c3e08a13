import { spawn } from 'node:child_process';

/** Node.js has no datagram sockets of the Unix domain: the program of systemd sends what is said. */
const PROGRAM = 'systemd-notify';

/** Whether systemd has started this unit with `Type=notify`. */
export const isNotified = (process.env.NOTIFY_SOCKET ?? '') !== '';

let last: Promise<void> = Promise.resolve();

/**
 * Tells systemd, one word after the other; nothing where it does not ask to be told. Resolves when systemd has read it.
 *
 * @param words as `READY=1`
 * @see https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html
 */
export function notifyManager(words: readonly string[], log: { warn(message: string): void }): Promise<void> {
  if (!isNotified) return Promise.resolve();
  return (last = last.then(() => send(words, log)));
}

/** The start of a reload, by the clock that systemd compares with. */
export function formatReloading(): string[] {
  return ['RELOADING=1', `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`];
}

function send(words: readonly string[], log: { warn(message: string): void }): Promise<void> {
  return new Promise((resolve) => {
    const child = spawn(PROGRAM, [...words], { stdio: 'ignore' });
    const fail = (why: string) => {
      log.warn(`systemd was not told ${words.join(' ')}: '${PROGRAM}' must do it, got ${why}`);
      resolve();
    };
    child.once('error', (error) => fail(error.message));
    child.once('exit', (code, signal) => (code === 0 ? resolve() : fail(signal ?? `exit code ${code}`)));
  });
}
