import type { HttpResponse } from '../transport/transport';

const MAX_REJECTION_MS = 2_000;
const MAX_BACK_OFF_MS = 5_000;
/** A connection that served for so long has nothing to do with what failed before it. */
const STEADY_MS = 5_000;

/** A few 100 ms, never the same for two clients. */
export function reconnectMs(): number {
  return 200 + Math.random() * 300;
}

/**
 * For how long a 503 with Retry-After asks to wait, in ms, with jitter and capped; undefined when the response is no such
 * rejection.
 */
export function rejectedForMs({ status, headers }: Pick<HttpResponse, 'status' | 'headers'>): number | undefined {
  const seconds = Number.parseInt(String(headers['retry-after'] ?? ''), 10);
  if (status !== 503 || Number.isNaN(seconds)) return undefined;
  return Math.min(seconds * 1000, MAX_REJECTION_MS) + Math.random() * 300;
}

/**
 * How one client comes back after a connection: twice as late after each one in a row that brought nothing or failed, with jitter, at
 * most about 5 s, as reconnecting clients of WebSockets do. It also remembers what was counted already: a client that is rejected again
 * and again for one reason is one loss.
 */
export class BackOff {
  /** In a row, that brought nothing or failed. */
  private attempts = 0;
  /** For which they failed. */
  private readonly reasons = new Set<string>();
  /** Of the connection of now. */
  private state: 'trying' | 'served' | 'failed' = 'trying';
  private beganMs = 0;
  /** Which row of failures this is. */
  private row = 0;

  /** @param now `performance.now()` */
  constructor(private readonly now: () => number = () => performance.now()) {}

  get hasFailed(): boolean {
    return this.reasons.size > 0;
  }

  /** Whether connections have failed, and that of now has brought nothing yet. */
  get isFailing(): boolean {
    return this.hasFailed && this.state !== 'served';
  }

  /** Changes when a row of failures ends. */
  get rowOfFailures(): number {
    return this.row;
  }

  /** Another connection is tried. */
  begin(): void {
    this.beganMs = this.now();
    this.state = 'trying';
  }

  /** It brought what the client came for. */
  served(): void {
    this.state = 'served';
  }

  /** It ended as it should. @returns how many in a row have brought nothing or failed */
  endInOrder(): number {
    if (this.state === 'served') this.restart();
    else if (this.state === 'trying') this.attempts += 1;
    return this.attempts;
  }

  /** It failed, or what it brought was wrong. @returns whether this is the first time of this reason in a row of failures */
  fail(reason: string): boolean {
    if (this.state === 'served' && this.now() - this.beganMs >= STEADY_MS) this.restart();
    this.state = 'failed';
    this.attempts += 1;
    const isFirst = !this.reasons.has(reason);
    this.reasons.add(reason);
    return isFirst;
  }

  /** The next pauses are short again; what was counted stays counted. */
  hurry(): void {
    this.attempts = 0;
  }

  pauseMs(): number {
    const ms = reconnectMs();
    const doubled = ms * 2 ** Math.max(0, this.attempts - 1);
    return doubled <= MAX_BACK_OFF_MS ? doubled : MAX_BACK_OFF_MS - 2 * ms * Math.random();
  }

  private restart(): void {
    this.attempts = 0;
    this.reasons.clear();
    this.row += 1;
  }
}
