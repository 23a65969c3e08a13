import type { ServerHttp2Session } from 'node:http2';
import type { Duplex } from 'node:stream';

/**
 * GOAWAY without an error and with the highest stream id, which asks for no more streams and rejects none that is on its
 * way (RFC 9113 section 6.8).
 */
const WARNING = Buffer.from('0000080700000000007fffffff00000000', 'hex');
/** A client that takes longer for a round trip has the last word said without it. */
const ROUND_TRIP_MS = 5_000;

/**
 * Lets a client's session go: a warning at once, and the last stream's number when the client must have read it, so that
 * a request which crosses the warning is served.
 *
 * After a GOAWAY of its own node:http2 ignores new streams, and reads nothing once no stream is open: its `goaway`
 * cannot be that warning. The frame is written to the connection beside it, between two of its writes, which end with whole
 * frames.
 *
 * @param lingerMs how long a client may take to close a connection that has ended for us
 */
export function sendGoaway(session: ServerHttp2Session, socket: Duplex, lingerMs: number): void {
  const close = () => {
    clearTimeout(roundTrip);
    closeSession(session, socket, lingerMs);
  };
  const roundTrip = setTimeout(close, ROUND_TRIP_MS);
  session.once('close', () => clearTimeout(roundTrip));
  socket.write(WARNING);
  if (!session.ping(close)) close();
}

/** Says the last stream's number, and frees the connection when its streams have ended. */
function closeSession(session: ServerHttp2Session, socket: Duplex, lingerMs: number): void {
  if (!session.closed && !session.destroyed) session.close();
  if (socket.destroyed) return;
  let looks = 0;
  // Node waits for the client's end without a limit, and in some states without reading.
  const linger = setInterval(() => {
    if (session.destroyed) looks += 1;
    if (looks > 1 || (looks > 0 && socket.writableFinished)) socket.destroy();
  }, lingerMs).unref();
  socket.once('close', () => clearInterval(linger));
}
