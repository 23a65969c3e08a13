import type { LedgerReport } from '../../core/proxy/admin-api';
import type { Snapshot } from '../../core/proxy/task-protection';

/** What is told to AWS of: one proxy, or several workers that are one. */
export interface Integrations {
  /** What is known without asking anybody, at most a second old. */
  snapshot(): Snapshot;
  report(): LedgerReport | Promise<LedgerReport>;
  /** The figures behind `GET /metrics`, as `getMetricsAsJSON` of prom-client has them. */
  samples(): Promise<readonly object[]>;
}
