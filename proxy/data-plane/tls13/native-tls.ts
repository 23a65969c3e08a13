import type { Socket } from 'node:net';
import type { Handle, TlsHandle } from '../transport/native';

/**
 * What is used of Node's TLS without its word for it: the native handles under a `TLSSocket`, and their counters.
 * `tls13-check.ts` tries all of it at the start of a process.
 */
export interface TlsWrap extends TlsHandle {
  /** The TCP connection. */
  readonly _parent: TcpHandle;
  /** Content that was read and written: what the records held. */
  readonly bytesRead: number;
  readonly bytesWritten: number;
  /** Encrypted bytes, as if they had just been read of the connection. */
  receive(bytes: Buffer): void;
  getProtocol(): string | null;
  getCipher(): { readonly standardName: string } | undefined;
  /** The session as OpenSSL serialises it. It has a secret of its own: to be wiped after use. */
  getSession(): Buffer | undefined;
  /** Ends TLS, without a word to the peer. The handle is of no use afterwards. */
  destroySSL(): void;
  /** Ours. */
  [NOTE]?: ConnectionNote;
}

export interface TcpHandle extends Handle {
  readonly bytesRead: number;
  readonly bytesWritten: number;
}

/** Whose secrets have come (`ConnectionNote.has`). */
export const CLIENT = 1;
export const SERVER = 2;

export const NOTE = Symbol('TLS 1.3 note');

/** What is known of a connection from its handshake. */
export interface ConnectionNote {
  /** Why it cannot go over; undefined where nothing is known to be in the way. */
  rejection: NoteRejection | undefined;
  /** The client's traffic secret, and ours behind it. Wiped with the connection. */
  secrets: Buffer | undefined;
  /** Which of them have come: `CLIENT`, `SERVER`. */
  has: number;
  /** Bytes of the TCP connection that came before the client's second flight, less those that its counter has not seen. */
  helloBytes: number;
  /** Those that were written up to the end of our session tickets; undefined until these have left. */
  writtenBytes: number | undefined;
  /** Records that these tickets were. */
  tickets: number;
  /** What the TCP connection had read at the last look, where the answer was to look again. */
  lookedAtBytes: number | undefined;
  /**
   * Its counters were no whole number of records once. Padding may do that, and then they are a whole number by chance: so often they have to
   * be one, each time behind other bytes.
   */
  doubts: number;
  /** What the TCP connection had read when they were counted last. */
  doubtedAtBytes: number;
}

export type NoteRejection =
  'protocolVersion' | 'applicationProtocol' | 'cipherSuite' | 'earlyData' | 'keyUpdate' | 'startNotSeen' | 'closed';

/** The handle of a socket that has one. */
export function findTlsWrap(socket: Socket): TlsWrap | undefined {
  return (socket as unknown as { _handle: TlsWrap | null })._handle ?? undefined;
}
