import { MOVE_REJECTIONS, MoveRejection } from '../../core/moves/moves';
import type { ConnectionKind } from '../../core/proxy/connections';
import type { Clock } from '../process/clock';
import { LogThrottle } from './log-throttle';

interface InfoLog {
  info(figures: object, message: string): void;
}

/** Why connections were not moved, in the log: the first of a second at once, the others by their number. */
export class MoveLog {
  private unsaid: Partial<Record<MoveRejection, number>> = {};
  private readonly throttle: LogThrottle;

  constructor(
    private readonly log: InfoLog,
    clock: Clock,
  ) {
    this.throttle = new LogThrottle(1, clock, (count) => {
      const rejected = this.unsaid;
      this.unsaid = {};
      log.info({ rejected }, `${count} more connections were not moved within a second`);
    });
  }

  rejected(rejection: MoveRejection, kind: ConnectionKind): void {
    if (!this.throttle.admit()) this.unsaid[rejection] = (this.unsaid[rejection] ?? 0) + 1;
    else this.log.info({ rejection, kind, why: MOVE_REJECTIONS[rejection] }, 'A connection was not moved');
  }

  /** Says what is left to say. */
  stop(): void {
    this.throttle.end();
  }
}
