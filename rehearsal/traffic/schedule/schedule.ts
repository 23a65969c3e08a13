type Act = (dueMs: number) => Promise<void>;

/**
 * Lets one user have so many requests under way; what is due beyond waits for its turn, in order, and its time runs. A server
 * that is slow gets no more at once than its users can ask, and nothing that was due is left out of the account.
 *
 * @param ended Fires when nothing more is begun: what waits then is left out, and `leaveOut` counts it.
 */
export function inTurn(act: Act, max: number, ended: AbortSignal, leaveOut: Act): Act {
  const waiting: (() => void)[] = [];
  let underWay = 0;
  return async (dueMs) => {
    if (underWay >= max) await new Promise<void>((resolve) => waiting.push(resolve));
    if (ended.aborted) {
      waiting.shift()?.();
      return leaveOut(dueMs);
    }
    underWay += 1;
    await act(dueMs);
    underWay -= 1;
    waiting.shift()?.();
  };
}
