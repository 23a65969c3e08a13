/** A whole WebSocket message, unmasked, defragmented, inflated where permessage-deflate without context takeover was agreed. */
export interface Message {
  readonly isText: boolean;
  /** Borrowed: who keeps it copies it. */
  readonly payload: Buffer;
}

/** What a client asked for, and which subprotocol the backend chose. */
export interface Handshake {
  /** Path and query. */
  readonly url: string;
  readonly subprotocol: string | undefined;
  /** The value of a field by its lower-case name, until the connection is followed; later undefined. */
  field(name: string): string | undefined;
}

/** A protocol whose set-up has to be said again to another backend, in the place of the client. */
export interface MoveAdapter {
  readonly name: string;
  /**
   * Moves of its connections at once in one process.
   * @default - no limit of its own
   */
  readonly concurrency?: number;
  /**
   * Milliseconds from the end of the old backend until the new one is dialled, and from each failure until the next try: what the
   * old one may need to store a session.
   * @default - one try, at once
   */
  readonly waitsMs?: readonly number[];
  /** Whether a connection is one of its own. */
  recognizes(handshake: Handshake): boolean;
  follow(handshake: Handshake): Followed;
  /**
   * Follows on a connection of another process, from what its `pack` has said, as JSON has it.
   *
   * @returns undefined where it cannot
   * @default - connections that come from another process in a restart do not move any more
   */
  unpack?(state: unknown, handshake: Handshake): Followed | undefined;
}

/** One connection: it sees every whole message that passed, and keeps a bounded part of it. */
export interface Followed {
  fromClient(message: Message): void;
  fromBackend(message: Message): void;
  /** Why it could not be moved as it is now, in words; undefined when it could. */
  readonly rejection: string | undefined;
  /** The rejection is for good, so that nothing needs to be followed any more. */
  readonly isLost?: boolean;
  /** Nothing is under way that a move would lose. Asked again after each message. */
  readonly isSettled: boolean;
  /**
   * What another process of the proxy needs to follow it on, as JSON has it, up to 1 MiB. It comes behind any message, settled or not, and
   * may be followed on here all the same.
   *
   * @default - it cannot be said
   */
  pack?(): unknown;
  /** The old backend has been read to its end: what to ask and say to the new one. */
  replay(): Replay;
}

/** The conversation with the new backend until it goes on where the old one ended. What it passes is not followed once more. */
export interface Replay {
  /** Path and query to ask for. */
  readonly url: string;
  /** Said as soon as the backend has switched. */
  readonly first: readonly Message[];
  /** Nothing is waited for: with `first` the connection has joined. */
  readonly isJoined?: boolean;
  /** A message of the new backend. */
  fromBackend(message: Message): ReplayStep;
  /** A message has begun that the next ones belong to, so that it is no time to let them by unseen. */
  readonly isWithin?: boolean;
}

/** What follows from a message of the new backend, in this order. Without `end` the next message is waited for. */
export interface ReplayStep {
  /** To the new backend. */
  readonly send?: readonly Message[];
  /** To the client. */
  readonly pass?: readonly Message[];
  /**
   * The connection goes on, and what the client says with it. What the backend says still comes through here, to `pass` on or to drop
   * what the client has had, until `end` or until the time of a move has ended.
   */
  readonly opens?: true;
  readonly end?: 'joined' | { readonly rejected: string };
}
