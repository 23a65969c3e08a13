/** Between two looks at a condition, in ms. */
const LOOK_MS = 5;
/**
 * Five minutes of looks where nothing else runs, and longer on a machine that is slower: what is counted is what this process
 * got to do. It names a wait that hangs, and decides nothing else. It is less than the limit of `jest.config.js`, so that a
 * failed test leaves nothing behind that looks on.
 */
const MAX_LOOKS = 60_000;

/**
 * Waits for a condition.
 *
 * @param isImpossible what shows that the condition cannot come any more, if anything does: an exit, an error.
 * @throws at once with what `isImpossible` returned, or with the condition that hangs
 */
export async function until(
  condition: () => boolean | Promise<boolean>,
  isImpossible: () => string | undefined = () => undefined,
): Promise<void> {
  for (let looks = 0; looks < MAX_LOOKS; looks += 1) {
    // What it saw last counts: an exit may come with the very thing that is waited for.
    const reason = isImpossible();
    if (await condition()) return;
    if (reason !== undefined) throw new Error(`waited for ${String(condition)}, got ${reason}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  throw new Error(`waited in vain for ${String(condition)}`);
}
