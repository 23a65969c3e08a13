import { readSync } from 'node:fs';
import type { Socket } from 'node:net';
import { CLIENT, ConnectionNote, NOTE, SERVER, TcpHandle, TlsWrap, findTlsWrap } from './native-tls';
import { HEADER_BYTES, MAX_CIPHERTEXT_BYTES, MAX_CONTENT_BYTES, RECORD_OVERHEAD } from './record-layer/records';
import type { Tls13Rejection } from './rejections';
import { readMaxContentBytes } from './session-limit';
import { Tls13State, tryState, wipeState } from './tls13-state';
import { forgetTls13 } from './tls13-watch';
import { SUITES, Suite, TrafficKeys } from './record-layer/traffic-keys';

/** A record that changes nothing, of which a client sends one or none in its handshake (RFC 8446 appendix D.4). */
const CHANGE_CIPHER_SPEC_BYTES = 6;
/** Of a message of the handshake. */
const MESSAGE_HEADER_BYTES = 4;
/** What a packet holds of a record's content, at least in the usual networks. */
const PACKET_BYTES = 1_200;
/** Whole numbers in a row: one of 10,000 clients that pad has them by chance. */
const MAX_DOUBTS = 3;
/** So that the first record is whole, if it has come. */
const WAITING_BYTES = 2 * MAX_CIPHERTEXT_BYTES;

/** A transport on a TLS socket (`StreamTransport`), as far as it has to do with this. */
export interface TlsSource {
  readonly socket: Socket;
  /** Something that was written has not left. */
  readonly hasPending: boolean;
  /** An end of either direction is known. */
  readonly hasEnded: boolean;
  /** Reads no more of the connection. @returns what came in, and its user has not got */
  stopReading(): Buffer;
  /** Goes on as before, later, with these bytes first. */
  readAgain(bytes: Buffer): void;
}

/** A connection whose socket is neither read nor written here any more. One of `release` and `restore` follows. */
export interface TakenTls13 {
  readonly state: Tls13State;
  /** What goes over to the other process. */
  readonly handle: TcpHandle;
  /** Whether the numbers were proven by a record that has come, or follow from the counters alone. */
  readonly proof: 'opened' | 'counted';
  /** The other process has it: closes it here, without a word to the peer. The user of the transport is told, as of any close. */
  release(): void;
  /** It stays here, and goes on as if nothing had been. */
  restore(): void;
}

/**
 * Takes a server's TLS 1.3 connection out of its socket, between two records.
 *
 * @param source on a socket of a server that `watchTls13` follows. Its user reads and writes nothing until `restore`
 * @returns why not, where it is not possible, or not now; the socket goes on as before then. What may pass is worth another look
 *   some 20 ms later
 */
export function takeTls13(source: TlsSource): TakenTls13 | Tls13Rejection {
  const { socket } = source;
  const handle = findTlsWrap(socket);
  if (handle === undefined || socket.destroyed) return 'closed';
  if (source.hasEnded) return 'ended';
  const found = findState(handle, source);
  if (typeof found === 'string') return found;
  const plaintext = source.stopReading();
  const { bytes: unopened, isOver } = readWaiting(handle._parent.fd);
  const restore = () => {
    wipeState(found);
    source.readAgain(plaintext);
    if (unopened.length === 0) return;
    // The connection's counter does not see these.
    found.note.helloBytes -= unopened.length;
    handle.receive(unopened);
  };
  const trial = tryState({ read: found.read, unopened });
  const isUnproven = isDoubtful(handle, found.note) && trial !== 'opened';
  const isUnsettled = isUnproven || (unopened.length < HEADER_BYTES && mayBeWithinRecord(handle, found));
  if (isOver || isUnsettled || trial === 'wrong') {
    restore();
    return isOver ? 'ended' : isUnsettled ? 'unsettled' : 'sequenceUnknown';
  }
  const { read, write, maxContentBytes } = found;
  const release = () => {
    wipeState(found);
    forgetTls13(handle);
    socket.destroy();
  };
  const proof = trial === 'opened' ? 'opened' : 'counted';
  return {
    state: { read, write, maxContentBytes, plaintext, unopened },
    handle: handle._parent,
    proof,
    release,
    restore,
  };
}

interface FoundState extends Pick<Tls13State, 'read' | 'write' | 'maxContentBytes'> {
  readonly note: ConnectionNote;
}

function isQueued(handle: TlsWrap, { hasPending }: TlsSource): boolean {
  return hasPending || handle.writeQueueSize > 0 || handle._parent.writeQueueSize > 0;
}

/** Changes nothing. What is in the way for good comes first. */
function findState(handle: TlsWrap, source: TlsSource): FoundState | Tls13Rejection {
  const note = handle[NOTE];
  if (note === undefined) return handle.getProtocol() === 'TLSv1.3' ? 'notWatched' : 'protocolVersion';
  if (note.rejection !== undefined) return note.rejection;
  const { secrets, writtenBytes } = note;
  if (secrets === undefined || note.has !== (CLIENT | SERVER) || writtenBytes === undefined) return 'handshake';
  if (isQueued(handle, source)) return 'queued';
  const { standardName } = handle.getCipher() ?? {};
  const suite = SUITES.find(({ name }) => name === standardName);
  if (suite === undefined || secrets.length !== 2 * suite.hashBytes) return 'cipherSuite';
  const readSequence = countRead(handle, note, suite);
  if (readSequence === undefined) {
    note.doubts = MAX_DOUBTS;
    note.doubtedAtBytes = handle._parent.bytesRead;
    return 'betweenRecords';
  }
  const written = (handle._parent.bytesWritten - writtenBytes - handle.bytesWritten) / RECORD_OVERHEAD;
  if (!isCount(written) || written * MAX_CONTENT_BYTES < handle.bytesWritten) return 'sequenceUnknown';
  return {
    note,
    read: new TrafficKeys(suite, copySecret(secrets, 0, suite), readSequence),
    write: new TrafficKeys(suite, copySecret(secrets, 1, suite), note.tickets + written),
    maxContentBytes: readMaxContentBytes(handle),
  };
}

/**
 * A part of a record that is a multiple of 22 bytes long looks like as many records, and where nothing waits no trial shows it. Only a
 * record of more than a packet stops there for a while. So where they are long, two looks must see the same.
 */
function mayBeWithinRecord({ _parent: tcp, bytesRead }: TlsWrap, { note, read }: FoundState): boolean {
  const isSettled = bytesRead <= read.sequence * PACKET_BYTES || note.lookedAtBytes === tcp.bytesRead;
  note.lookedAtBytes = tcp.bytesRead;
  return !isSettled;
}

/** By chance the counters of a client that pads are a whole number of records at one look of 22. */
function isDoubtful({ _parent: tcp }: TlsWrap, note: ConnectionNote): boolean {
  if (note.doubts > 0 && note.doubtedAtBytes !== tcp.bytesRead) note.doubts -= 1;
  note.doubtedAtBytes = tcp.bytesRead;
  return note.doubts > 0;
}

/** Each record has as many bytes more than its content, unless it is padded. */
function countRead({ _parent: tcp, bytesRead }: TlsWrap, note: ConnectionNote, { hashBytes }: Suite) {
  const finishedBytes = RECORD_OVERHEAD + MESSAGE_HEADER_BYTES + hashBytes;
  const overhead = tcp.bytesRead - note.helloBytes - finishedBytes - bytesRead;
  const counts = [overhead / RECORD_OVERHEAD, (overhead - CHANGE_CIPHER_SPEC_BYTES) / RECORD_OVERHEAD];
  return counts.find((count) => isCount(count) && count * MAX_CONTENT_BYTES >= bytesRead);
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function copySecret(secrets: Buffer, index: number, { hashBytes }: Suite): Buffer {
  const secret = Buffer.allocUnsafeSlow(hashBytes);
  secrets.copy(secret, 0, index * hashBytes, (index + 1) * hashBytes);
  return secret;
}

const waiting = Buffer.allocUnsafeSlow(WAITING_BYTES);

/** What has come of a connection, past its reader. `isOver`: it has ended, or is lost. */
function readWaiting(fd: number): { readonly bytes: Buffer; readonly isOver: boolean } {
  try {
    const length = readSync(fd, waiting);
    return { bytes: Buffer.from(waiting.subarray(0, length)), isOver: length === 0 };
  } catch (error) {
    return { bytes: Buffer.alloc(0), isOver: (error as NodeJS.ErrnoException).code !== 'EAGAIN' };
  }
}
