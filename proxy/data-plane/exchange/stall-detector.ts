import type { Timeouts } from '../contract/data-plane';
import { Pace } from './pace';

/** Who is waited for; one, both or none. */
export interface Turn {
  readonly isClients: boolean;
  readonly isUpstreams: boolean;
  /** The upstream has the whole request, and its response has not begun. */
  readonly isFirstByte: boolean;
  /** A stream may be silent for a time of its own, and its client may leave it unread. */
  readonly isStream: boolean;
}

/** Since when each side of an exchange has kept the other waiting. */
export class StallDetector {
  /** Undefined until the client is waited for at a tick. */
  private pace: Pace | undefined = undefined;

  constructor(
    private clientMs: number,
    private upstreamMs = clientMs,
  ) {}

  clientMoved(nowMs: number): void {
    this.clientMs = nowMs;
  }

  upstreamMoved(nowMs: number): void {
    this.upstreamMs = nowMs;
  }

  /** For so long the upstream has not moved while it was its turn. */
  silentMs(nowMs: number): number {
    return Math.max(0, nowMs - this.upstreamMs);
  }

  /**
   * Whether the client moves less than it must; how fast a stream should go is unknown. To be asked at every tick.
   *
   * @param moved its bytes so far, both ways
   * @param perSecond what it must move, 0 for no minimum
   * @param windowMs over how long that is judged
   */
  isClientTooSlow(nowMs: number, turn: Turn, moved: number, perSecond: number, windowMs: number): boolean {
    const isWaitedFor = turn.isClients && !turn.isStream;
    if (this.pace !== undefined) return this.pace.isTooSlow(nowMs, isWaitedFor, moved, perSecond, windowMs);
    if (isWaitedFor) this.pace = new Pace(nowMs, moved);
    return false;
  }

  /** Who is late, by the clock of the calls before. To be asked at every tick: a turn of another side costs no time. */
  late(nowMs: number, turn: Turn, timeouts: Timeouts): 'client' | 'upstream' | undefined {
    if (!turn.isClients || turn.isStream) this.clientMs = nowMs;
    if (!turn.isUpstreams && !turn.isStream) this.upstreamMs = nowMs;
    if (nowMs - this.clientMs > timeouts.bodyIdleMs) return 'client';
    const limitMs = computeLimit(turn, timeouts);
    return limitMs > 0 && nowMs - this.upstreamMs > limitMs ? 'upstream' : undefined;
  }
}

/** For the upstream; 0 is none. */
function computeLimit({ isStream, isFirstByte }: Turn, timeouts: Timeouts): number {
  if (isStream) return timeouts.streamIdleMs;
  return isFirstByte ? timeouts.firstByteMs : timeouts.upstreamIdleMs;
}
