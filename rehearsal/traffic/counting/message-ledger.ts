/** What one response shows to be wrong; the numbers are added to the tally. */
export interface Finding {
  readonly lost?: number;
  readonly duplicated?: number;
  readonly outOfOrder?: number;
  readonly what: string;
}

/**
 * What one WebSocket client sent and what came back. It sends 1, 2, 3, …; the server responds to each with the number of
 * messages that it has processed for this client, which must be the same number, over all connections and both sides.
 */
export class MessageLedger {
  private lastSent = 0;
  /** In the order of sending; on the next connection these are sent again. */
  private readonly open = new Set<number>();
  /** Passed over by a later response on the same connection: taken as lost, and not sent again. */
  private readonly passedOver = new Set<number>();
  /** Passed over, and not yet the reason for a gap in the server's count. */
  private unexplained = 0;
  private respondedOnce = 0;
  /** The highest count that the server has told. */
  private processed = 0;

  /** The number of the next message. */
  next(): number {
    this.lastSent += 1;
    this.open.add(this.lastSent);
    return this.lastSent;
  }

  /** In the order in which they are to be sent again. */
  get unanswered(): readonly number[] {
    return [...this.open];
  }

  get allResponded(): boolean {
    return this.open.size === 0;
  }

  /** Messages that got a response, however late or wrong its count. */
  get responded(): number {
    return this.respondedOnce;
  }

  /** Checks one response and says what is wrong with it, in as many findings as there are faults. */
  respond(n: number, count: number): Finding[] {
    if (this.open.has(n)) return [...this.passOver(n), ...this.compare(n, count)];
    if (this.passedOver.delete(n)) return [this.late(n, count)];
    this.processed = Math.max(this.processed, count);
    return [{ duplicated: 1, what: `expected one response to message ${n}, got another one (count ${count})` }];
  }

  private passOver(n: number): Finding[] {
    const findings: Finding[] = [];
    this.respondedOnce += 1;
    for (const earlier of this.open) {
      if (earlier === n) break;
      this.open.delete(earlier);
      this.passedOver.add(earlier);
      this.unexplained += 1;
      findings.push({ lost: 1, what: `expected the response to message ${earlier} next, got that to message ${n}` });
    }
    this.open.delete(n);
    return findings;
  }

  /** The server must have processed exactly one message more than at its last response. */
  private compare(n: number, count: number): Finding[] {
    const expected = this.processed + 1;
    this.processed = count;
    if (count < expected)
      return [{ lost: expected - count, what: `expected count ${expected} for message ${n}, got ${count}` }];
    // A swallowed response leaves a gap in the counts; what exceeds that was processed twice.
    const explained = Math.min(this.unexplained, count - expected);
    this.unexplained -= explained;
    const duplicated = count - expected - explained;
    if (duplicated === 0) return [];
    return [{ duplicated, what: `expected count ${expected + explained} for message ${n}, got ${count}` }];
  }

  private late(n: number, count: number): Finding {
    this.respondedOnce += 1;
    this.unexplained = Math.max(0, this.unexplained - (count > this.processed ? 1 : 0));
    this.processed = Math.max(this.processed, count);
    return { lost: -1, outOfOrder: 1, what: `expected the response to message ${n} before, got it late` };
  }
}
