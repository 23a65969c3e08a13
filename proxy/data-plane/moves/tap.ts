import type { MoveRejection } from '../../../core/moves/moves';
import type { Transport } from '../contract/transport';

/** Follows what passes, either way. The bytes are borrowed. */
export interface TunnelTap {
  fromClient(bytes: Buffer): void;
  fromUpstream(bytes: Buffer): void;
}

/** Follows the messages of one connection, so that its protocol can be set up again at another upstream. */
export interface MoveTap extends TunnelTap {
  /** Of its protocol. */
  readonly name: string;
  /** Moves of its protocol at once in one process. */
  readonly concurrency: number | undefined;
  /** Milliseconds of waiting before each try to resume at another upstream. */
  readonly waitsMs: readonly number[];
  /** It could not be moved as it is now. */
  readonly cannotResume: boolean;
  /** Nothing is under way that a move would lose. */
  readonly isSettled: boolean;
  /** What the upstream says is still held against what the client has had; parts of messages are kept for that. */
  readonly isFiltering: boolean;
  /** What it keeps of messages that are not whole. */
  readonly heldBytes: number;
  /**
   * For another process, in the middle of a message, too: see `TapFinder.unpack`. Not while it filters.
   *
   * @returns undefined where more is known than can be said
   */
  pack(): Buffer | undefined;
  /** The old upstream was read to its end: what to say to the next one. */
  resume(): Conversation;
}

/** Speaks with a new upstream in the place of the client, until the client can go on itself. */
export interface Conversation {
  /** Path and query to ask for. */
  readonly url: string;
  /**
   * Begins when the upstream has switched. It is the user of the transport until it resolves.
   *
   * @param head what came behind the 101
   * @param pass sends whole frames on to the client
   */
  hold(transport: Transport, head: Buffer, pass: (frames: Buffer) => void): Promise<Resumed | MoveRejection>;
}

/** The client can go on. */
export interface Resumed {
  /** What came behind the conversation. */
  readonly head: Buffer;
  /** What the upstream sends goes through it, until it says that it is done. */
  readonly filter: UpstreamFilter | undefined;
}

/** Drops what the upstream says again. */
export interface UpstreamFilter {
  /**
   * @param bytes borrowed
   * @param pass sends whole frames on, in order
   * @returns what follows when the filter is done, which goes on as it is, and all after it; undefined while it is not
   */
  read(bytes: Buffer, pass: (frames: Buffer) => void): Buffer | undefined;
}
