import type { Past } from '../../core/proxy/merge-reports';
import type { RecentRecord } from './recent-traffic';

/** The last words of a process that ends in order: what the others go on to report of it. */
export interface FinalRecord {
  readonly past: Past;
  /** As `getMetricsAsJSON` of prom-client has them. */
  readonly samples: readonly object[];
  readonly recent: readonly RecentRecord[];
}
