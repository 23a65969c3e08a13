import { Latency, summarizeLatency } from './latency';
import { parseJson, readPointer } from './pointer';
import { CountedProblem, Findings, Judgement, countProblems, roundMs } from './verdict';

/**
 * How a response is recognized. `echo`: it is the message itself. `any`: each message that comes is the response to the oldest
 * that has none. A path: the number of the message is in the JSON of the response, there.
 */
export type Expectation = 'echo' | 'any' | { readonly path: readonly string[] };

/** What became of one WebSocket. */
export interface ConnectionCount {
  readonly sent: number;
  readonly responded: number;
  /** Sent, and no response came while there was time for one. */
  readonly lost: number;
  readonly doubled: number;
  /** First responses behind that to a later message. */
  readonly outOfOrder: number;
  /** Messages that are no response to any of its own. */
  readonly other: number;
}

/** What one connection sent, and what came back. */
export class MessageCounter {
  /** By number: the text, and when it was sent. In the order of sending. */
  private readonly open = new Map<number, { readonly text: string; readonly sentMs: number }>();
  private readonly numbers = new Map<string, number>();
  private readonly seen = new Set<number>();
  private highest = 0;
  private sentCount = 0;
  private doubled = 0;
  private outOfOrder = 0;
  private other = 0;

  constructor(private readonly expectation: Expectation) {}

  /** @param number over 0, each higher than the one before */
  send(number: number, text: string, nowMs: number): void {
    this.sentCount += 1;
    this.open.set(number, { text, sentMs: nowMs });
    if (this.expectation === 'echo') this.numbers.set(text, number);
  }

  /** @returns the latency in milliseconds; undefined where it is no first response */
  receive(text: string, nowMs: number): number | undefined {
    const number = this.findNumber(text);
    const sent = number === undefined ? undefined : this.open.get(number);
    if (number === undefined || sent === undefined) {
      if (number !== undefined && this.seen.has(number)) this.doubled += 1;
      else this.other += 1;
      return undefined;
    }
    this.open.delete(number);
    this.seen.add(number);
    if (number < this.highest) this.outOfOrder += 1;
    this.highest = Math.max(this.highest, number);
    return nowMs - sent.sentMs;
  }

  private findNumber(text: string): number | undefined {
    const { expectation } = this;
    if (expectation === 'echo') return this.numbers.get(text);
    if (expectation === 'any') return this.open.keys().next().value;
    const value = readPointer(parseJson(text), expectation.path);
    const number = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value;
    return typeof number === 'number' ? number : undefined;
  }

  get hasOpen(): boolean {
    return this.open.size > 0;
  }

  get sent(): number {
    return this.sentCount;
  }

  get responded(): number {
    return this.seen.size;
  }

  /** @param isStopped what has no response yet might still have got it, and is not lost */
  count(isStopped: boolean): ConnectionCount {
    const { sentCount: sent, seen, open, doubled, outOfOrder, other } = this;
    return { sent, responded: seen.size, lost: isStopped ? 0 : open.size, doubled, outOfOrder, other };
  }
}

/** How a connection ended. `closed`: by this end, when it had sent all. */
export type ConnectionEnd =
  | { readonly kind: 'closed' }
  | { readonly kind: 'notOpened'; readonly problem: string }
  /** By the other end, or the network, before it had done all. */
  | { readonly kind: 'dropped'; readonly problem: string };

export interface LoadFigures extends ConnectionCount {
  readonly connections: number;
  readonly opened: number;
  readonly notOpened: number;
  readonly dropped: number;
  /** Messages that were to be sent. */
  readonly planned: number;
  /** Of the responses; absent where there was none. */
  readonly latencyMs?: Latency;
  /** Of the handshakes. */
  readonly openingMs?: Latency;
  /** By how much this process itself was late at the most: so much of a latency may be its own. */
  readonly ownDelayMs: number;
  /** Why connections did not open or were dropped, with how many it was so. */
  readonly problems: readonly CountedProblem[];
}

export function summarizeLoad(
  ended: readonly { readonly end: ConnectionEnd; readonly count: ConnectionCount }[],
  planned: { readonly connections: number; readonly messages: number },
  measured: {
    readonly latenciesMs: readonly number[];
    readonly openingsMs: readonly number[];
    readonly ownDelayMs: number;
  },
): LoadFigures {
  const sum = (key: keyof ConnectionCount) => ended.reduce((total, { count }) => total + count[key], 0);
  const countEnds = (kind: ConnectionEnd['kind']) => ended.filter(({ end }) => end.kind === kind).length;
  const latencyMs = summarizeLatency(measured.latenciesMs);
  const openingMs = summarizeLatency(measured.openingsMs);
  return {
    connections: planned.connections,
    opened: measured.openingsMs.length,
    notOpened: countEnds('notOpened'),
    dropped: countEnds('dropped'),
    planned: planned.messages,
    sent: sum('sent'),
    responded: sum('responded'),
    lost: sum('lost'),
    doubled: sum('doubled'),
    outOfOrder: sum('outOfOrder'),
    other: sum('other'),
    ...(latencyMs && { latencyMs }),
    ...(openingMs && { openingMs }),
    ownDelayMs: roundMs(measured.ownDelayMs),
    problems: countProblems(ended.flatMap(({ end }) => (end.kind === 'closed' ? [] : [end.problem]))),
  };
}

export interface LoadRules {
  readonly maxLost: number;
  readonly maxDoubled: number;
  readonly maxOutOfOrder: number;
  readonly maxDropped: number;
  readonly maxNotOpened: number;
  /** Milliseconds. */
  readonly maxP99Ms?: number;
}

export function judgeLoad(figures: LoadFigures, rules: LoadRules, isStopped: boolean): Judgement {
  const found = new Findings();
  found.checkAtMost('notOpened', figures.notOpened, rules.maxNotOpened);
  found.checkAtMost('dropped', figures.dropped, rules.maxDropped);
  found.checkAtMost('lost', figures.lost, rules.maxLost);
  found.checkAtMost('doubled', figures.doubled, rules.maxDoubled);
  found.checkAtMost('outOfOrder', figures.outOfOrder, rules.maxOutOfOrder);
  found.checkAtMostMs('latencyMs.p99', figures.latencyMs?.p99, rules.maxP99Ms);
  if (figures.responded === 0) found.addUnknown('no message got a response');
  found.checkWhole(isStopped);
  return found.judge();
}
