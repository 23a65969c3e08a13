/** Calls that will be throttled, by action: `ModifyRule` → how many more. */
export class Throttles {
  private readonly left = new Map<string, number>();

  /** The next `times` calls of this action are throttled. 0 ends it. */
  set(action: string, times: number): void {
    if (!Number.isInteger(times) || times < 0) throw new Error(`'times' must be an integer from 0 up, got ${times}`);
    this.left.set(action, times);
  }

  /** Whether this call is one of them; it counts. */
  take(action: string): boolean {
    const left = this.left.get(action) ?? 0;
    if (left > 0) this.left.set(action, left - 1);
    return left > 0;
  }
}
