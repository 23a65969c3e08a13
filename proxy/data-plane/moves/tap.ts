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
  /** It could not be moved as it is now. */
  readonly cannotResume: boolean;
  /** Nothing is under way that a move would lose. */
  readonly isSettled: boolean;
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
   * @returns what came behind the conversation, or why there can be no move
   */
  hold(transport: Transport, head: Buffer, pass: (frames: Buffer) => void): Promise<Buffer | MoveRejection>;
}
