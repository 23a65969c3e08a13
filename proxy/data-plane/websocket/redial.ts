import type { MoveRejection } from '../../../core/moves/moves';
import type { Upstream, UpstreamFailure } from '../contract/data-plane';
import type { ResponseHead, UpstreamEvents, UpstreamStream } from '../contract/streams';
import type { Upstreams } from '../contract/upstreams';
import { isAccepted } from './handshake';
import type { TunnelEnd } from './tunnel';
import type { Resume } from '../moves/resume';
import { classifyFailedDial } from '../moves/failed-dial';

/** Asks another upstream for the connection of a client that has been here for long. */
export class Redial implements UpstreamEvents {
  /** Its transport, or why it cannot be gone on with. */
  readonly done: Promise<TunnelEnd | MoveRejection>;
  private readonly stream: UpstreamStream;
  private end: TunnelEnd | undefined;
  private settle: (result: TunnelEnd | MoveRejection) => void = () => undefined;

  constructor(
    upstreams: Upstreams,
    upstream: Upstream,
    private readonly resume: Resume,
    { url, epoch }: { readonly url: string; readonly epoch: number | undefined },
  ) {
    this.done = new Promise((resolve) => (this.settle = resolve));
    const { head } = resume;
    this.stream = upstreams.open(upstream, { head, url, fields: resume.fields(epoch), choice: 'fresh' }, this);
    this.stream.flush();
  }

  /** Gives it up; a connection that is there is closed. */
  cancel(): void {
    this.stream.destroy();
    this.end?.transport.destroy();
    this.settle('stopped');
  }

  switched({ fields }: ResponseHead): void {
    const rejection = this.resume.differs(fields) ?? (isAccepted(this.resume.head, fields) ? undefined : 'rejected');
    if (rejection !== undefined) return this.fail(rejection);
    const end = this.stream.detach();
    if (end === undefined) return this.fail('unreachable');
    // Who waits for it takes it in a moment.
    end.transport.pause();
    this.end = end;
    this.settle(end);
  }

  responseStarted(): void {
    this.fail('rejected');
  }

  upstreamFailed(failure: UpstreamFailure): void {
    this.fail(classifyFailedDial(failure, 'rejected'));
  }

  informed(): void {
    return;
  }

  deviated(): void {
    return;
  }

  responseReceived(): void {
    return;
  }

  responseEnded(): void {
    return;
  }

  responseFlushed(): void {
    return;
  }

  upstreamDrained(): void {
    this.stream.flush();
  }

  private fail(rejection: MoveRejection): void {
    this.stream.destroy();
    this.settle(rejection);
  }
}
