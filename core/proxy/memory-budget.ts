/** From this part of the budget on no new client is accepted. */
const TIGHT_SHARE = 0.8;
/** Closing the worst ends here, so that there is room again for those who come. */
const EASED_SHARE = 0.5;
/** Who stays between both for longer would keep everybody else out. */
const MAX_TIGHT_MS = 1_000;

/** What connections hold, as a part of what they may. */
export type MemoryState = 'free' | 'tight' | 'over';

/**
 * `tight`: new connections are rejected. `over`: the worst ones are closed, too.
 *
 * @param tightForMs for how long it has not been free
 */
export function memoryState(heldBytes: number, budgetBytes: number, tightForMs: number): MemoryState {
  if (heldBytes < budgetBytes * TIGHT_SHARE) return 'free';
  return heldBytes >= budgetBytes || tightForMs >= MAX_TIGHT_MS ? 'over' : 'tight';
}

/**
 * The connections that hold the most, so many that the others fit into half of the budget; of equals the first.
 *
 * @param held bytes of each connection
 */
export function findWorst<T>(held: readonly (readonly [connection: T, bytes: number])[], budgetBytes: number): T[] {
  let excess = held.reduce((sum, [, bytes]) => sum + bytes, 0) - budgetBytes * EASED_SHARE;
  const worst: T[] = [];
  for (const [connection, bytes] of [...held].sort((a, b) => b[1] - a[1])) {
    if (excess < 0) break;
    worst.push(connection);
    excess -= bytes;
  }
  return worst;
}
