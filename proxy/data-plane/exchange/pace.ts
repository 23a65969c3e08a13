/** How fast a client moves bytes while it is waited for. Time in which it is another side's turn does not count. */
export class Pace {
  private waitedMs = 0;
  private movedBytes = 0;

  constructor(
    private lastMs: number,
    private lastBytes: number,
  ) {}

  /**
   * To be asked at every tick.
   *
   * @param bytes moved so far
   * @param perSecond what it must move, 0 for no minimum
   * @param windowMs over how long that is judged
   */
  isTooSlow(nowMs: number, isWaitedFor: boolean, bytes: number, perSecond: number, windowMs: number): boolean {
    if (isWaitedFor) this.waitedMs += nowMs - this.lastMs;
    this.movedBytes += Math.max(0, bytes - this.lastBytes);
    this.lastMs = nowMs;
    this.lastBytes = bytes;
    if (this.waitedMs < windowMs) return false;
    const isSlow = this.movedBytes * 1000 < perSecond * this.waitedMs;
    this.waitedMs = 0;
    this.movedBytes = 0;
    return isSlow;
  }
}
