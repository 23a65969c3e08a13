/** Waits for a client, and says when it made no progress for too long while it was the one who was waited for. */
export class Patience {
  private timer: NodeJS.Timeout | undefined;
  private isStopped = false;

  constructor(
    private readonly idleMs: number,
    private readonly isClientsTurn: () => boolean,
    private readonly isOver: () => void,
  ) {}

  /** Something moved, or it is somebody else's turn: the time starts over. */
  readonly progress = (): void => {
    if (this.isStopped) return;
    if (this.timer) this.timer.refresh();
    else this.timer = setTimeout(() => this.look(), this.idleMs);
  };

  stop(): void {
    this.isStopped = true;
    clearTimeout(this.timer);
  }

  private look(): void {
    this.timer?.refresh();
    if (this.isClientsTurn()) this.isOver();
  }
}
