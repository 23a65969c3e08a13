import type { MirrorCounts } from '../mirror/mirror-counts';
import type { CompareReport } from './compare-report';

/** `GET /mirror`. */
export interface MirrorReport extends MirrorCounts {
  /** Where copies go. */
  readonly url: string;
  readonly comparison: CompareReport;
}
