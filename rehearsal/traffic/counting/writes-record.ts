import type { SeenResponse } from '../../writes/pause';
import type { SentWrite } from '../../writes/write-log';

/** What the clients of a plan that switches write down one by one: each write, and how long each response took. */
export interface WritesRecord {
  readonly sent: SentWrite[];
  readonly responses: SeenResponse[];
}
