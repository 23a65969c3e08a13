import { randomFillSync } from 'node:crypto';
import type { MoveRejection } from '../../../core/moves/moves';
import type { Upstream } from '../contract/data-plane';
import type { Transport, TransportUser } from '../contract/transport';
import type { Upstreams } from '../contract/upstreams';
import { encodeFrame } from '../moves/adapters/encode-frame';
import { CloseRead, PING, closeFrame, readClose, readControl } from './frame-scanner';
import type { Mover, Tunnel, TunnelEnd } from './tunnel';
import { Redial } from './redial';
import type { Resume } from '../moves/resume';
import type { Conversation, Resumed } from '../moves/tap';

/** RFC 6455 section 7.4.1. */
const NORMAL = 1000;
const GOING_AWAY = 1001;
/** An upstream that has said Close has this long to end its connection, too: it may save what it knows at its end. */
const LAST_READ_MS = 1_000;
/**
 * Libraries respond to a Close at once, and the responses that an application still computes cannot be sent any more. So it is
 * pinged first: behind the first Pong it has read all that it was sent, however slow its machine is, and behind the second its
 * application had a turn. One that has been silent for some time then has said what it had to say.
 */
const PINGS = 2;
const PAYLOAD_BYTES = 8;
/** Who does not respond to a Ping by then never will. */
const PONG_MS = 2_000;
const QUIET_MS = { silence: 25, most: 100 } as const;
/** Between two looks at whether a protocol is settled. */
const SETTLE_MS = 5;
/** Of a protocol that needs no words: at once. */
const ONE_TRY = [0] as const;

/**
 * `stopping`: the client is read to the end of its message. `ending`: the old upstream was told Close 1001, and is read to its
 * own. `away`: it is gone, and there is no other one yet. `joining`: another one is asked. `over`: it is there, or never will be.
 */
export type MoveState = 'stopping' | 'ending' | 'away' | 'joining' | 'over';

interface Goal {
  readonly upstream: Upstream;
  readonly epoch: number | undefined;
  /** Of `performance.now()`. */
  readonly deadline: number;
}

type Joined = TunnelEnd & Resumed;

/** One tunnel on its way from one upstream to another. It is made then, so that others hold none of it. */
export class Move implements Mover {
  private state: MoveState = 'stopping';
  private upstreamState: 'there' | 'left' | 'gone' = 'there';
  /** When the client's messages began to wait; of `performance.now()`. */
  private stoppedMs = 0;
  /** What the upstream was pinged with. */
  private readonly pings: Buffer[] = [];
  private readonly isOver: Promise<void>;
  private tellOver: () => void = () => undefined;

  constructor(
    private readonly tunnel: Tunnel,
    private readonly resume: Resume,
    private readonly upstreams: Upstreams,
    /** For each of its parts. */
    private readonly timeoutMs: number,
  ) {
    this.isOver = new Promise((resolve) => (this.tellOver = resolve));
  }

  get isAway(): boolean {
    return this.state === 'away';
  }

  /** See `Movable`. */
  async leave(): Promise<MoveRejection | undefined> {
    this.tunnel.beginMove(this);
    const rejection = (await this.stopClient()) ?? (await this.endUpstream());
    if (rejection !== undefined) return rejection;
    await this.awaitEnd();
    if (this.state !== 'ending') return this.ended;
    this.state = 'away';
    return undefined;
  }

  /** See `Movable`. */
  async join(upstream: Upstream, epoch: number | undefined): Promise<{ readonly stallMs: number } | MoveRejection> {
    if (this.state !== 'away') return this.ended;
    this.state = 'joining';
    const deadline = performance.now() + this.timeoutMs;
    const [first = 0, ...others] = this.resume.tap?.waitsMs ?? ONE_TRY;
    let end = await this.tryJoin(first, { upstream, epoch, deadline });
    for (const waitMs of others) {
      if (end === 'notResumed') end = await this.tryJoin(waitMs, { upstream, epoch, deadline });
    }
    if (this.state !== 'joining' || typeof end === 'string')
      return this.fail(typeof end === 'string' ? end : 'stopped');
    this.state = 'over';
    this.tunnel.attachUpstream(end, end.filter);
    return { stallMs: performance.now() - this.stoppedMs };
  }

  /** Asks the upstream for the connection, once. */
  private async tryJoin(waitMs: number, { upstream, epoch, deadline }: Goal): Promise<Joined | MoveRejection> {
    if (waitMs > 0) await this.sleep(Math.min(waitMs, deadline - performance.now()));
    if (this.state !== 'joining') return this.ended;
    const conversation = this.resume.tap?.resume();
    const url = conversation?.url ?? this.resume.url;
    const redial = new Redial(this.upstreams, upstream, this.resume, { url, epoch });
    const dialed = (await this.within(redial.done, deadline)) ?? 'late';
    const end = await this.converse(conversation, dialed, deadline);
    if (this.state === 'joining' && typeof end !== 'string') return end;
    redial.cancel();
    return typeof end === 'string' ? end : 'stopped';
  }

  upstreamLeft(isGone: boolean): boolean {
    if (this.state === 'stopping') {
      this.giveUp();
      return false;
    }
    this.upstreamState = isGone ? 'gone' : 'left';
    this.tunnel.toClient.senderLeft();
    return true;
  }

  stop(): boolean {
    const isAlone = this.state === 'away' || this.state === 'joining' || this.upstreamState === 'gone';
    this.state = 'over';
    this.tellOver();
    return isAlone;
  }

  /** Both directions flow until the protocol is settled and the client is between two messages. */
  private async stopClient(): Promise<MoveRejection | undefined> {
    const { tunnel } = this;
    const { tap } = this.resume;
    const startMs = performance.now();
    // What the client owes an answer to can be answered in the first half only.
    if (tap) await this.untilSettled(startMs + this.timeoutMs / 2);
    const isStopped = await this.isInTime(tunnel.toUpstream.park(), startMs + this.timeoutMs);
    if (this.state !== 'stopping') return this.ended;
    if (tunnel.isClosingByItself) return this.giveUp();
    this.stoppedMs = performance.now();
    if (!isStopped) return this.giveUpInOrder('midMessage');
    if (tap && !(await this.untilSettled(startMs + this.timeoutMs))) {
      return this.state === 'stopping' ? this.giveUpInOrder('unsettled') : this.ended;
    }
    if (this.state !== 'stopping' || tunnel.isClosingByItself) return this.giveUp();
    return undefined;
  }

  private async endUpstream(): Promise<MoveRejection | undefined> {
    const { toUpstream, toClient } = this.tunnel;
    this.state = 'ending';
    await this.untilHeard();
    if (this.state !== 'ending') return this.ended;
    if (toClient.scanner.sawClose) return this.passClose();
    if (this.upstreamState !== 'there') return this.fail('brokenOff');
    const deadline = performance.now() + this.timeoutMs;
    toUpstream.say(closeFrame(GOING_AWAY, '', true));
    const close = await this.readReply(deadline);
    if (this.state !== 'ending') return this.ended;
    if (close === 'incomplete') return this.fail(this.upstreamState === 'there' ? 'noEnd' : 'brokenOff');
    if (!toClient.scanner.atMessageBoundary) return this.fail('brokenOff');
    return isReply(close.code) ? undefined : this.passClose();
  }

  /** Up to the upstream's Close, which is kept. A Pong that comes later than it was waited for reaches no client either. */
  private async readReply(deadline: number): Promise<CloseRead> {
    const { toClient } = this.tunnel;
    let stopped = toClient.stopAt('beforeReply');
    while ((await this.isInTime(stopped, deadline)) && this.state === 'ending') {
      const frame = readControl(toClient.held);
      if (frame === undefined) {
        if (this.upstreamState !== 'there') break;
        stopped = toClient.holdMore();
      } else if (frame.isPong) {
        toClient.resumeBehind(frame.length, this.isOurs(frame.payload));
        stopped = toClient.stopAt('beforeReply');
      } else return readClose(toClient.held);
    }
    return 'incomplete';
  }

  /** A Close with a reason of its own is the upstream's word to the client. */
  private passClose(): MoveRejection {
    const { tunnel } = this;
    this.giveUp();
    const { toClient } = tunnel;
    toClient.passHeld();
    if (toClient.hasEnded) tunnel.onEnd(toClient);
    if (this.upstreamState === 'gone') tunnel.onClose(toClient, undefined);
    return 'closing';
  }

  /** The old upstream has said all that it had to say. */
  private async awaitEnd(): Promise<void> {
    const was = this.upstreamState;
    const old = this.tunnel.detachUpstream();
    this.upstreamState = 'gone';
    if (was === 'there') {
      const lastRead = new LastRead(old);
      old.end();
      old.resume();
      await this.isInTime(lastRead.ended, performance.now() + LAST_READ_MS);
    }
    old.destroy();
  }

  private async converse(
    conversation: Conversation | undefined,
    dialed: TunnelEnd | MoveRejection,
    deadline: number,
  ): Promise<Joined | MoveRejection> {
    if (typeof dialed === 'string') return dialed;
    const { transport, head } = dialed;
    if (conversation === undefined) return { transport, head, filter: undefined };
    if (this.state !== 'joining') return 'stopped';
    const pass = (frames: Buffer) => this.tunnel.sendToClient(frames);
    const resumed = (await this.within(conversation.hold(transport, head, pass), deadline)) ?? 'late';
    return typeof resumed === 'string' ? resumed : { transport, ...resumed };
  }

  /** The upstream has read all that it was sent, and had time to respond. */
  private async untilHeard(): Promise<void> {
    const deadline = performance.now() + Math.min(PONG_MS, this.timeoutMs);
    for (let round = 0; round < PINGS; round += 1) {
      // Its silence says nothing then: it may be about to read what it was sent.
      if (!(await this.ping(deadline))) return;
    }
    if (!this.isListening) return;
    this.tunnel.toClient.passHeld();
    await this.untilQuiet();
  }

  /** @returns whether the Pong came in time; the client does not get it */
  private async ping(deadline: number): Promise<boolean> {
    const { toUpstream, toClient } = this.tunnel;
    const payload = drawPayload();
    this.pings.push(payload);
    toUpstream.say(encodeFrame(PING, payload, true));
    let stopped = toClient.stopAt('beforePong');
    while ((await this.isInTime(stopped, deadline)) && this.isListening) {
      const frame = readControl(toClient.held);
      const isOurs = frame !== undefined && this.isOurs(frame.payload);
      if (frame !== undefined) toClient.resumeBehind(frame.length, isOurs);
      if (isOurs) return true;
      stopped = frame === undefined ? toClient.holdMore() : toClient.stopAt('beforePong');
    }
    return false;
  }

  private isOurs(pong: Buffer): boolean {
    return this.pings.some((ping) => ping.equals(pong));
  }

  /** The upstream is there, and has not said Close. */
  private get isListening(): boolean {
    return this.state === 'ending' && this.upstreamState === 'there' && !this.tunnel.toClient.scanner.sawClose;
  }

  private async untilQuiet(): Promise<void> {
    const { toClient } = this.tunnel;
    const deadline = performance.now() + QUIET_MS.most;
    let { taken } = toClient;
    let sinceMs = performance.now();
    // Most say nothing: one timer is enough for them.
    await this.sleep(QUIET_MS.silence);
    while (this.isListening && performance.now() < deadline) {
      if (toClient.taken !== taken) {
        taken = toClient.taken;
        sinceMs = performance.now();
      } else if (performance.now() >= sinceMs + QUIET_MS.silence - 1) return;
      await this.sleep(SETTLE_MS);
    }
  }

  private async untilSettled(deadline: number): Promise<boolean> {
    const { tap } = this.resume;
    while (this.state === 'stopping' && tap !== undefined && !tap.isSettled && performance.now() < deadline) {
      await this.sleep(Math.min(SETTLE_MS, deadline - performance.now()));
    }
    return tap === undefined || tap.isSettled;
  }

  /** The tunnel goes on as it was, or ends as it was about to. */
  private giveUp(): 'closing' {
    if (this.state === 'over') return 'closing';
    this.state = 'over';
    this.tunnel.endMove();
    return 'closing';
  }

  private giveUpInOrder(rejection: MoveRejection): MoveRejection {
    this.giveUp();
    void this.tunnel.close();
    return rejection;
  }

  /** The client is told to connect anew. */
  private fail(rejection: MoveRejection): MoveRejection {
    if (this.state === 'over') return this.ended;
    this.state = 'over';
    void this.tunnel.closeWithoutUpstream();
    return rejection;
  }

  /** The tunnel was ended in the middle of the move. */
  private get ended(): MoveRejection {
    return this.tunnel.isOver ? 'closing' : 'stopped';
  }

  /** Until the end of the move at the latest. */
  private async sleep(milliseconds: number): Promise<void> {
    await this.within(new Promise(() => undefined), performance.now() + milliseconds);
  }

  /** Whether it came before the deadline and the end of the move. */
  private async isInTime(wanted: Promise<void>, deadline: number): Promise<boolean> {
    return (
      (await this.within(
        wanted.then(() => 'came' as const),
        deadline,
      )) !== undefined
    );
  }

  /** Undefined when the deadline or the end of the move came first. */
  private async within<T>(wanted: Promise<T>, deadline: number): Promise<T | undefined> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), Math.max(0, deadline - performance.now()));
    });
    const came = await Promise.race([wanted, this.isOver.then(() => undefined), late]);
    clearTimeout(timer);
    return came;
  }
}

/** Random bytes, drawn many at a time: one call for each Ping is a twentieth of what a move costs. */
const drawn = Buffer.alloc(4_096);
let used = drawn.length;

function drawPayload(): Buffer {
  if (used === drawn.length) {
    randomFillSync(drawn);
    used = 0;
  }
  const payload = Buffer.from(drawn.subarray(used, used + PAYLOAD_BYTES));
  used += PAYLOAD_BYTES;
  return payload;
}

/** The end of an upstream that has said Close. */
class LastRead implements TransportUser {
  readonly ended: Promise<void>;
  private tell: () => void = () => undefined;

  constructor(transport: Transport) {
    this.ended = new Promise((resolve) => (this.tell = resolve));
    transport.user = this;
  }

  onData(): void {
    return;
  }

  onDrain(): void {
    return;
  }

  onError(): void {
    return;
  }

  onEnd(): void {
    this.tell();
  }

  onClose(): void {
    this.tell();
  }
}

/** An upstream responds to 1001 with the same, or with what its library says in its place. */
function isReply(code: number | undefined): boolean {
  return code === undefined || code === NORMAL || code === GOING_AWAY;
}
