import type { Clock } from '../process/clock';

const LOOK_MS = 2_000;

/**
 * Waits for processes that were told to end, and for as long as they respond: a slow machine takes longer than it should. Those
 * that hang would be waited for without an end.
 *
 * @param ask once their time has passed, again and again. Rejects when one does not respond
 * @returns whether they have ended
 */
export async function endOrHang(
  ended: Promise<unknown>,
  ask: () => Promise<unknown>,
  { longestMs, clock }: { readonly longestMs: number; readonly clock: Clock },
): Promise<boolean> {
  let hasEnded = false;
  void ended.then(() => (hasEnded = true));
  await atMost(ended, longestMs, clock);
  while (!hasEnded) {
    const responds = await ask().then(
      () => true,
      () => false,
    );
    if (!responds) return hasEnded;
    await atMost(ended, LOOK_MS, clock);
  }
  return true;
}

/** Waits for it, and no longer than that. */
export async function atMost(ended: Promise<unknown>, ms: number, clock: Clock): Promise<void> {
  let cancel: () => void = () => undefined;
  await Promise.race([ended, new Promise<void>((resolve) => (cancel = clock.after(ms, resolve)))]);
  cancel();
}
