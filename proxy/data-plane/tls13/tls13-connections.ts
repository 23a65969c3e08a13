import type { Server } from 'node:tls';
import type { SelfCheck } from '../shared/self-check';
import type { Tls13Rejection } from './rejections';
import { TakenTls13, TlsSource, takeTls13 } from './take-tls13';
import { HandleTransport, PackedTransport } from '../transport/handle-transport';
import { CertificatePair, createTls13Check } from './tls13-check';
import type { Tls13State } from './tls13-state';
import { Tls13Transport } from './tls13-transport';
import { watchTls13 } from './tls13-watch';

/**
 * The connections of a TLS server that may go over to another process, and those that have come from one. Where the self-check says
 * that this Node.js does otherwise than is known, nothing is noted any more, and none goes or comes.
 */
export class Tls13Connections {
  readonly check: SelfCheck;
  private readonly unwatch: () => void;
  private readonly continued = new Set<Tls13Transport>();

  /** @param certificate of the server */
  constructor(server: Server, certificate: CertificatePair) {
    this.check = createTls13Check(certificate);
    this.unwatch = watchTls13(server);
    this.check.watch(({ result }) => {
      if (result === 'wrong') this.unwatch();
    });
  }

  /** Takes one of the server's connections out of its socket. @returns why not, where it is not possible, or not now */
  take(source: TlsSource): TakenTls13 | Tls13Rejection {
    return this.isRight ? takeTls13(source) : 'off';
  }

  /** They can go, and come. */
  get isRight(): boolean {
    return this.check.verdict.result === 'right';
  }

  /** It is not known yet whether they can. */
  get isUntried(): boolean {
    return this.check.verdict.result === 'untried';
  }

  /** Of those that came: each is open. */
  get size(): number {
    return this.continued.size;
  }

  /** Goes on with a connection of another process. It is paused. @param state the transport's own from now on */
  continue(below: PackedTransport, state: Tls13State): Tls13Transport {
    const gone = () => this.continued.delete(transport);
    const transport = new Tls13Transport(HandleTransport.unpack(below), state, { gone });
    transport.pause();
    this.continued.add(transport);
    return transport;
  }
}
