import { randomBytes } from 'node:crypto';

const LAST_DIGITS = Array.from({ length: 4096 }, (_, number) => number.toString(16).padStart(3, '0'));
const CHANCE_DIGITS = 15;
const BLOCK_DIGITS = 6;

/**
 * Values of `X-Amzn-Trace-Id` for requests that come without one, as a load balancer would make them. Different for
 * every request and process, not hard to guess: who made a request is for others to say.
 *
 * @see https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-request-tracing.html
 */
export class TraceIds {
  private readonly chance = randomBytes(8).toString('hex').slice(0, CHANCE_DIGITS);
  private second = -1;
  private block = 0;
  private number = LAST_DIGITS.length;
  private beginning = '';

  /** @param nowMs as `performance.now()` has it */
  next(nowMs: number): string {
    const second = Math.trunc(nowMs / 1000);
    if (second !== this.second || this.number === LAST_DIGITS.length) this.begin(nowMs, second);
    return this.beginning + LAST_DIGITS[this.number++]!;
  }

  /** All but the last digits stay the same for a second and 4096 requests. */
  private begin(nowMs: number, second: number): void {
    const epoch = Math.trunc((performance.timeOrigin + nowMs) / 1000);
    const block = this.block.toString(16).padStart(BLOCK_DIGITS, '0').slice(-BLOCK_DIGITS);
    this.beginning = `Root=1-${epoch.toString(16).padStart(8, '0')}-${this.chance}${block}`;
    this.block += 1;
    this.second = second;
    this.number = 0;
  }
}
