import type { TextPlace } from '../place/text-place';

/** Where a replay writes its status, and reads what it is ordered to do. */
export interface StatusPlace {
  readonly status: TextPlace;
  /** Beside it. */
  readonly order: Pick<TextPlace, 'read'>;
}
