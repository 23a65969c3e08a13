import { isIP, connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Upstream, UpstreamFailure } from '../data-plane';
import { FastWire } from './fast-wire';
import { StreamWire } from './stream-wire';
import type { Wire } from './wire';

export interface Connecting {
  opened(wire: Wire): void;
  /** Nothing was sent. */
  failed(failure: UpstreamFailure): void;
}

/** Finds a peer that is gone without a word. */
const KEEP_ALIVE_MS = 30_000;

/**
 * Opens a connection to an upstream, for HTTP/1.1. `isFast`: on its handle, where TLS is not in between. One of the calls
 * of `connecting` follows, later.
 *
 * @returns gives it up, whatever has become of it
 */
export function connectWire(upstream: Upstream, isFast: boolean, connecting: Connecting): () => void {
  if (upstream.protocol === 'https') {
    const socket = connectTls(tlsOptions(upstream, ['http/1.1']));
    return awaitOpen(socket, 'secureConnect', () => new StreamWire(socket), connecting);
  }
  const socket = connectTcp({ host: upstream.host, port: upstream.port, ...SOCKET_OPTIONS });
  return awaitOpen(socket, 'connect', () => (isFast ? new FastWire(socket) : new StreamWire(socket)), connecting);
}

const SOCKET_OPTIONS = {
  noDelay: true,
  keepAlive: true,
  keepAliveInitialDelay: KEEP_ALIVE_MS,
  allowHalfOpen: true,
} as const;

/** What a TLS connection to an upstream is opened with. Without a name of our own Node would take the client's Host for it. */
export function tlsOptions(upstream: Upstream, protocols: string[]) {
  return {
    host: upstream.host,
    port: upstream.port,
    // An address is no server name (RFC 6066 section 3).
    servername: upstream.serverName ?? (isIP(upstream.host) ? '' : upstream.host),
    rejectUnauthorized: upstream.verifyCertificate ?? true,
    ALPNProtocols: protocols,
    ...(upstream.authorities !== undefined && { ca: upstream.authorities }),
    ...SOCKET_OPTIONS,
  };
}

function awaitOpen(socket: Socket, event: string, open: () => Wire, connecting: Connecting): () => void {
  let isSettled = false;
  const settle = (): boolean => {
    if (isSettled) return false;
    isSettled = true;
    // Nothing of this stays with a connection that may live for days; somebody must hear of its errors until then.
    socket.off('close', fail);
    socket.off(event, opened);
    return true;
  };
  const fail = (error?: NodeJS.ErrnoException | boolean) => {
    const code = typeof error === 'object' ? error.code : undefined;
    if (settle()) connecting.failed(code === 'ETIMEDOUT' ? 'connectTimeout' : 'connectRefused');
  };
  const opened = () => {
    if (!settle()) return;
    const wire = open();
    socket.off('error', fail);
    connecting.opened(wire);
  };
  socket.on('error', fail);
  socket.on('close', fail);
  socket.on(event, opened);
  return () => {
    settle();
    socket.destroy();
  };
}
