/** Something that tests wait for: asked again after every event, so that no wait costs more than it takes. */
export class Waiting {
  private waiters: { isMet: () => boolean; met: () => void }[] = [];

  /** The state that conditions look at has changed. */
  changed(): void {
    const met = this.waiters.filter((waiter) => waiter.isMet());
    if (met.length === 0) return;
    this.waiters = this.waiters.filter((waiter) => !met.includes(waiter));
    for (const waiter of met) waiter.met();
  }

  when(isMet: () => boolean): Promise<void> {
    if (isMet()) return Promise.resolve();
    return new Promise((met) => this.waiters.push({ isMet, met }));
  }
}
