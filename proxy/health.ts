import type { KindCounts } from '../core/connections';
import type { Side } from '../core/weights';
import type { DrainState } from './drain';
import type { Answer } from './data-plane/data-plane';

/**
 * The answer to the target group's health check. Its status is 200 while draining, too: a side that was drained must be
 * able to take all traffic again at once when a cutover is rolled back.
 */
export class Health {
  private cpu = process.cpuUsage();
  private lookedMs = performance.now();

  constructor(
    private readonly side: Side,
    private readonly state: () => DrainState,
    private readonly active: () => KindCounts,
  ) {}

  answer(): Answer {
    const body = {
      status: this.state() === 'serving' ? 'ok' : 'draining',
      side: this.side,
      connections: this.active(),
      memory_usage: process.memoryUsage.rss(),
      cpu_usage: this.cpuUsage(),
    };
    const headers = { 'content-type': 'application/json', 'cache-control': 'no-store' };
    return { status: 200, headers, body: `${JSON.stringify(body)}\n` };
  }

  /** The share of one core since the last call. */
  private cpuUsage(): number {
    const nowMs = performance.now();
    const { user, system } = process.cpuUsage(this.cpu);
    const share = (user + system) / 1000 / Math.max(1, nowMs - this.lookedMs);
    this.cpu = process.cpuUsage();
    this.lookedMs = nowMs;
    return Math.round(share * 1000) / 1000;
  }
}
