const KEPT = 20;
/** What names one client of the rehearsal's own apart from the others: `websocket-1f2e3d4c-17`. */
const CLIENT = /-[0-9a-f]{8}-\d+$/;

/** The first different things that went wrong, each with how often: many clients that see the same are one line. */
export class RepeatedLines {
  private readonly lines = new Map<string, { readonly first: string; count: number }>();

  /** @param at ISO 8601 */
  add(at: string, who: string, what: string): void {
    const key = `${who.replace(CLIENT, '')}: ${what}`;
    const known = this.lines.get(key);
    if (known) known.count += 1;
    else if (this.lines.size < KEPT) this.lines.set(key, { first: `${at} ${who}: ${what}`, count: 1 });
  }

  list(): string[] {
    return [...this.lines.values()].map(({ first, count }) =>
      count === 1 ? first : `${first}, ${count.toLocaleString('en-US')} times`,
    );
  }
}
