import type { Socket } from 'node:net';

/**
 * The bytes of one TCP or TLS connection, after it is open. Errors and ends come to the user as calls; nothing throws.
 * Bytes that come in are borrowed: they are valid during the call of `onData` only.
 */
export interface Transport {
  /** The receiver from now on. */
  user: TransportUser;
  /** Writes latin1 text: the cheapest way for heads and small bodies. */
  write(text: string): void;
  /**
   * Writes bytes, with text before them in the same packet. They may be borrowed ones.
   */
  writeBytes(bytes: Buffer, before?: string): void;
  /** A write has failed: nothing more leaves. What the peer has sent until then can still be read. */
  readonly hasFailed: boolean;
  /** So much was written and has not left that no more should be. `onDrain` is called when it all has. */
  readonly isBackedUp: boolean;
  /** Something that was written has not left, and would be lost with the connection. `onDrain` is called when it has. */
  readonly hasPending: boolean;
  /** How much of it; not cheap. */
  readonly pendingBytes: number;
  /** Stops and starts reading. While reading is stopped, an end or a reset may go unnoticed. */
  pause(): void;
  resume(): void;
  readonly isPaused: boolean;
  /** Ends the writing half after what was written; reading goes on. */
  end(): void;
  /** Ends both directions, when nothing is pending. `onClose` is called later. */
  close(): void;
  /** Frees the socket; what was not yet sent is lost. `onClose` is called later. */
  destroy(): void;
  /** As `destroy`, with a reset for the peer, so that it does not take what it got for the whole. */
  reset(): void;
  readonly isDestroyed: boolean;
  /** Whom the socket is connected to, unless a PROXY header says otherwise. */
  peer: Peer;
  readonly isTls: boolean;
  /** Another process has the connection, and lives for as long as it is open. */
  readonly isPumped?: boolean;
  /** Gives the socket away, `bytes` before whatever it reads next; the transport is of no use afterwards. */
  giveUp(bytes: Buffer): Socket;
}

/** Who is at the other end of a connection. */
export interface Peer {
  readonly address: string;
  readonly port: number;
}

export interface TransportUser {
  /** The first `length` of `bytes` came in. */
  onData(bytes: Buffer, length: number): void;
  /** All that was written has left, after `isBackedUp` had been true. */
  onDrain(): void;
  /** A write has failed; see `hasFailed`. */
  onError(error: Error): void;
  /** The peer sent its end; writing is still possible. */
  onEnd(): void;
  /** The connection is gone. Called once, last; `error` when it did not end in order. */
  onClose(error: Error | undefined): void;
}

/** For a transport that is not in use: what arrives is dropped. */
export const NO_USER: TransportUser = {
  onData: () => undefined,
  onDrain: () => undefined,
  onError: () => undefined,
  onEnd: () => undefined,
  onClose: () => undefined,
};

export function describePeer({ remoteAddress, remotePort }: Socket): Peer {
  return { address: plainAddress(remoteAddress), port: remotePort ?? 0 };
}

/** An IPv4 client of a dual-stack listener shows as `::ffff:192.0.2.1`. */
export function plainAddress(address: string | undefined): string {
  return address?.startsWith('::ffff:') ? address.slice(7) : (address ?? '');
}
