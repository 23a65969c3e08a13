/** Told while a check runs. */
export interface Progress {
  /** What is known by now, in one line. */
  describe: () => string;
}

/** After so long a person wants to see that it goes on. */
const QUIET_MS = 2_000;
const REPEAT_MS = 1_000;

/**
 * Says once a second how far a work is, as soon as it takes longer than two.
 *
 * @param say is given a line
 */
export async function withProgress<T>(
  progress: Progress,
  say: (line: string) => void,
  work: () => Promise<T>,
): Promise<T> {
  const startedMs = performance.now();
  const timer = setInterval(() => {
    const elapsedMs = performance.now() - startedMs;
    if (elapsedMs >= QUIET_MS) say(`${Math.floor(elapsedMs / 1000)}s  ${progress.describe()}`);
  }, REPEAT_MS);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}
