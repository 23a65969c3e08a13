import type { Server, TLSSocket } from 'node:tls';
import { CLIENT, ConnectionNote, NOTE, NoteRejection, SERVER, TlsWrap, findTlsWrap } from './native-tls';

/** Where the secret begins in a line of the key log: behind a label, and the client's random bytes in hex. */
const RANDOM_HEX = 64;
const SPACE = 32;
const LINE_FEED = 10;
/** Two session tickets follow a full handshake in OpenSSL, and at most one a resumed one. */
const TICKETS = { full: 2, resumed: 1 };
/** The smallest record with a session ticket is longer than this; content's own records cost 22 each. */
const MIN_TICKET_BYTES = 150;

/**
 * Notes of each TLS 1.3 connection of a server what the process that continues it will need: its secrets, and how many bytes its
 * handshake took. It costs a few microseconds of a handshake and some 300 bytes of memory, and nothing per byte.
 *
 * @returns ends it, for connections to come
 */
export function watchTls13(server: Server): () => void {
  server.on('keylog', noteKeyLog);
  server.on('secureConnection', noteHandshake);
  return () => {
    server.off('keylog', noteKeyLog);
    server.off('secureConnection', noteHandshake);
  };
}

function noteKeyLog(line: Buffer, socket: TLSSocket): void {
  const handle = findTlsWrap(socket);
  if (handle !== undefined) {
    const note = (handle[NOTE] ??= startNote(socket, handle));
    if (note.rejection === undefined) noteLine(handle, note, line);
  }
  line.fill(0);
}

/** A connection that is gone, or that is not to go over, needs no secrets. */
export function forgetTls13(handle: TlsWrap, rejection: NoteRejection = 'closed'): void {
  const note = handle[NOTE];
  if (note === undefined) return;
  note.rejection ??= rejection;
  note.secrets?.fill(0);
  note.secrets = undefined;
}

function startNote(socket: TLSSocket, handle: TlsWrap): ConnectionNote {
  // The handle is gone with the event.
  socket.once('close', () => forgetTls13(handle));
  return {
    rejection: undefined,
    secrets: undefined,
    has: 0,
    helloBytes: handle._parent.bytesRead,
    writtenBytes: undefined,
    tickets: 0,
    lookedAtBytes: undefined,
    doubts: 0,
    doubtedAtBytes: 0,
  };
}

function noteLine(handle: TlsWrap, note: ConnectionNote, line: Buffer): void {
  const label = line.toString('latin1', 0, line.indexOf(SPACE));
  switch (label) {
    case 'CLIENT_TRAFFIC_SECRET_0':
      return keepSecret(handle, note, CLIENT, line, label.length);
    case 'SERVER_TRAFFIC_SECRET_0':
      return keepSecret(handle, note, SERVER, line, label.length);
    case 'CLIENT_TRAFFIC_SECRET_N':
    case 'SERVER_TRAFFIC_SECRET_N':
      return forgetTls13(handle, 'keyUpdate');
    case 'CLIENT_EARLY_TRAFFIC_SECRET':
    case 'EARLY_EXPORTER_SECRET':
      return forgetTls13(handle, 'earlyData');
    // Of TLS 1.2.
    case 'CLIENT_RANDOM':
      return forgetTls13(handle, 'protocolVersion');
  }
}

function keepSecret(handle: TlsWrap, note: ConnectionNote, which: number, line: Buffer, labelBytes: number): void {
  const from = labelBytes + 1 + RANDOM_HEX + 1;
  const to = line.at(-1) === LINE_FEED ? line.length - 1 : line.length;
  const length = (to - from) / 2;
  if (length !== 32 && length !== 48) return forgetTls13(handle, 'cipherSuite');
  note.secrets ??= Buffer.allocUnsafe(2 * length);
  note.has |= which;
  readHex(line, from, note.secrets, which === CLIENT ? 0 : length, length);
}

/** Never as a string: those cannot be wiped. */
function readHex(hex: Buffer, from: number, to: Buffer, at: number, length: number): void {
  for (let n = 0; n < length; n += 1) {
    to[at + n] = (readDigit(hex[from + 2 * n]!) << 4) | readDigit(hex[from + 2 * n + 1]!);
  }
}

function readDigit(character: number): number {
  return character <= 57 ? character - 48 : (character | 32) - 87;
}

function noteHandshake(socket: TLSSocket): void {
  const handle = findTlsWrap(socket);
  const note = handle?.[NOTE];
  if (handle === undefined || note === undefined || note.rejection !== undefined) return;
  if (socket.alpnProtocol === 'h2') return forgetTls13(handle, 'applicationProtocol');
  // The tickets are made, and leave after this event.
  setImmediate(noteTickets, socket, handle, note, handle._parent.bytesWritten);
}

function noteTickets(socket: TLSSocket, handle: TlsWrap, note: ConnectionNote, before: number): void {
  if (note.rejection !== undefined || socket.destroyed) return;
  const content = handle.bytesWritten;
  const ticketBytes = handle._parent.bytesWritten - before - content;
  // What was written with them in one go cannot be told from them, unless it is too little.
  if (ticketBytes > MIN_TICKET_BYTES && content > 0) return forgetTls13(handle, 'startNotSeen');
  const hasTickets = ticketBytes > MIN_TICKET_BYTES;
  note.tickets = hasTickets ? (socket.isSessionReused() ? TICKETS.resumed : TICKETS.full) : 0;
  note.writtenBytes = before + (hasTickets ? ticketBytes : 0);
}
