import type { Socket } from 'node:net';
import { HandleTransport } from '../transport/handle-transport';
import { findTlsWrap } from './native-tls';
import type { TakenTls13 } from './take-tls13';
import { Tls13Options, Tls13Transport } from './tls13-transport';

/** The TLS socket, and the TCP socket under it. */
interface Owners {
  _handle: unknown;
  readonly _parent: { _handle: unknown };
}

/** Continues a connection in the process that took it out of its socket: to try it. */
export function continueHere(socket: Socket, taken: TakenTls13, options?: Tls13Options): Tls13Transport {
  findTlsWrap(socket)!.destroySSL();
  const owners = socket as unknown as Owners;
  owners._handle = null;
  owners._parent._handle = null;
  const below = new HandleTransport(taken.handle);
  return new Tls13Transport(below, taken.state, options);
}
