import type { MoveRejection } from '../../../core/moves/moves';
import type { UpstreamFailure } from '../contract/data-plane';

/** Why there is no move, where the new upstream failed. @param malformed what a response that cannot be read counts as */
export function classifyFailedDial(failure: UpstreamFailure, malformed: MoveRejection): MoveRejection {
  switch (failure) {
    case 'malformed':
      return malformed;
    case 'connectTimeout':
    case 'idleTimeout':
      return 'late';
    case 'connectRefused':
    case 'connectFailed':
    case 'nameNotFound':
    case 'certificateRejected':
    case 'tlsFailed':
    case 'reset':
    case 'full':
      return 'unreachable';
  }
}
