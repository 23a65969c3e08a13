import type { MoveRejection, Moves } from '../../../core/moves/moves';
import type { UpstreamFailure } from '../contract/data-plane';
import type { PackedStreamMove } from '../contract/handover';
import type { Movable } from '../contract/ledger';
import type { EngineHead, FieldBlock, ReplacedFields, ResponseHead } from '../contract/streams';
import type { Upstream } from '../contract/upstream';
import { RESUME_FIELD, RESUME_TOKEN_FIELD } from '../fields/field-lines';
import { listValues, withoutFields } from '../fields/lines';
import type { MoveRules } from './move-rules';
import { EPOCH_FIELD, offerToken } from './resume';
import type { EventStream } from '../streams/event-stream';
import { classifyFailedDial } from './failed-dial';

const LAST_ID_FIELD = 'last-event-id';

/** What the move of an event stream needs of its exchange. */
export interface StreamExchange {
  readonly head: EngineHead;
  readonly stream: EventStream | undefined;
  /** Gives up the upstream, if there is one. */
  leaveUpstream(): void;
  /** Sends the request again. What comes of it is told to `responded`, `failed` or `over`. */
  ask(upstream: Upstream, replaced: ReplacedFields): void;
  close(): Promise<void>;
}

type Joined = { readonly stallMs: number } | MoveRejection;

/**
 * Moves one event stream to another upstream, between two events: its request is sent again with the id of the last event that
 * the client has. Its client notices nothing.
 *
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html#the-last-event-id-header
 */
export class EventStreamMove implements Movable {
  readonly pace = undefined;
  /** Where it is connected to; undefined before the first move. */
  joined: Upstream | undefined = undefined;
  private awaySinceMs = 0;
  /** Told how a joining ends, while there is one. */
  private settle: ((result: Joined) => void) | undefined;

  /**
   * @param replaced the fields that were set on its request
   * @param token what its application wants to know it by
   */
  constructor(
    private readonly exchange: StreamExchange,
    private readonly rules: MoveRules,
    private readonly replaced: ReplacedFields | undefined,
    private token: string | undefined,
  ) {}

  /** Of one that was in another process, or was to go there. @param joined where it is connected to */
  static unpack(
    { token, replaced }: PackedStreamMove,
    exchange: StreamExchange,
    rules: MoveRules,
    joined: Upstream,
  ): EventStreamMove {
    const fields = Object.entries(replaced ?? {}).map(([name, value]) => [name, value ?? undefined] as const);
    const set = replaced === null ? undefined : Object.fromEntries(fields);
    return Object.assign(new EventStreamMove(exchange, rules, set, token), { joined });
  }

  /** For another process. */
  pack(): PackedStreamMove {
    const { token, replaced } = this;
    if (replaced === undefined) return { token, replaced: null };
    const fields = Object.entries(replaced).map(([name, value]) => [name, value ?? null] as const);
    return { token, replaced: Object.fromEntries(fields) };
  }

  rejection(moves: Moves): MoveRejection | undefined {
    const { stream, head } = this.exchange;
    if (moves === 'none') return 'off';
    if (this.rules.isNever(head)) return 'neverMoved';
    if (stream === undefined || stream.isClosing) return 'closing';
    if (stream.isOpaque) return 'encoded';
    // The body is gone.
    if (head.bodyLength !== 0) return 'cannotResume';
    return stream.resumeId === undefined ? 'noEventId' : undefined;
  }

  get isAway(): boolean {
    return this.exchange.stream?.isAway === true && !this.isJoining;
  }

  get isJoining(): boolean {
    return this.settle !== undefined;
  }

  async leave(): Promise<MoveRejection | undefined> {
    const rejection = this.rejection('all');
    const { stream } = this.exchange;
    if (rejection !== undefined || stream === undefined) return rejection ?? 'closing';
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      stream.stay();
    }, this.rules.settings.timeoutMs);
    const isAway = await stream.leave();
    clearTimeout(timer);
    this.awaySinceMs = performance.now();
    if (isAway) return undefined;
    if (!isLate) return 'closing';
    void this.exchange.close();
    return 'unsettled';
  }

  join(upstream: Upstream, epoch: number | undefined): Promise<Joined> {
    const { exchange, rules } = this;
    const id = exchange.stream?.resumeId;
    if (!this.isAway || id === undefined) return Promise.resolve('stopped');
    const joined = new Promise<Joined>((resolve) => {
      const timer = setTimeout(() => this.fail('late'), rules.settings.timeoutMs);
      this.settle = (result) => {
        clearTimeout(timer);
        this.settle = undefined;
        resolve(result);
      };
    });
    this.joined = upstream;
    this.token ??= offerToken();
    exchange.ask(upstream, {
      ...this.replaced,
      ...(epoch !== undefined && { [EPOCH_FIELD]: String(epoch) }),
      [LAST_ID_FIELD]: id,
      [RESUME_FIELD]: this.token,
    });
    return joined;
  }

  /** The head of the new upstream's response. */
  responded(head: ResponseHead): void {
    const isSame = head.status === 200 && head.isEventStream && !head.isEncoded && head.bodyLength === -1;
    if (!isSame) return this.fail('otherResponse');
    this.exchange.stream?.join();
    this.settle?.({ stallMs: performance.now() - this.awaySinceMs });
  }

  /** The new upstream failed before its response began. */
  failed(failure: UpstreamFailure): void {
    this.fail(classifyFailedDial(failure, 'otherResponse'));
  }

  /** The exchange has ended, or is about to. */
  over(): void {
    this.settle?.('closing');
  }

  /** The client comes back by itself. */
  private fail(rejection: MoveRejection): void {
    const { settle } = this;
    if (settle === undefined) return;
    settle(rejection);
    this.exchange.leaveUpstream();
    void this.exchange.close();
  }
}

/** The fields of a response as they go to the client, and the token that its application gave in them. */
export function takeToken(fields: FieldBlock): { readonly fields: FieldBlock; readonly token: string | undefined } {
  const [token] = listValues(fields, RESUME_TOKEN_FIELD);
  return token === undefined
    ? { fields, token }
    : { fields: withoutFields(fields, [RESUME_TOKEN_FIELD]), token: token === '' ? undefined : token };
}
