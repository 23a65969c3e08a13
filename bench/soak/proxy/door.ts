import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { HOST } from '../../processes/ports';

/** A proxy's data port. */
export interface Door {
  readonly port: number;
  readonly isTls: boolean;
}

export interface Entered {
  /** To talk on; over TLS what is said within it. */
  readonly socket: Socket;
  /** Resets the TCP connection, also the one below TLS. */
  reset(): void;
}

/** @param protocol for ALPN */
export function enter({ port, isTls }: Door, protocol: 'http/1.1' | 'h2' = 'http/1.1'): Entered {
  const raw = connect({ host: HOST, port, noDelay: true });
  raw.on('error', () => undefined);
  if (!isTls) return { socket: raw, reset: () => void raw.resetAndDestroy() };
  // The proxy makes its certificate at its start.
  const socket = connectTls({
    socket: raw,
    servername: 'localhost',
    ALPNProtocols: [protocol],
    rejectUnauthorized: false,
  });
  socket.on('error', () => undefined);
  const reset = () => {
    raw.resetAndDestroy();
    socket.destroy();
  };
  return { socket, reset };
}
