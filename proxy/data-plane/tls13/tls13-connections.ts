import type { Server } from 'node:tls';
import type { SelfCheck } from '../shared/self-check';
import type { Tls13Rejection } from './rejections';
import { TakenTls13, TlsSource, takeTls13 } from './take-tls13';
import { CertificatePair, createTls13Check } from './tls13-check';
import { watchTls13 } from './tls13-watch';

/**
 * The connections of a TLS server that may go over to another process. Where the self-check says that this Node.js does otherwise than
 * is known, nothing is noted any more, and none can be taken.
 */
export class Tls13Connections {
  readonly check: SelfCheck;
  private readonly unwatch: () => void;

  /** @param certificate of the server */
  constructor(server: Server, certificate: CertificatePair) {
    this.check = createTls13Check(certificate);
    this.unwatch = watchTls13(server);
    this.check.watch(({ result }) => {
      if (result === 'wrong') this.unwatch();
    });
  }

  take(source: TlsSource): TakenTls13 | Tls13Rejection {
    return this.check.verdict.result === 'right' ? takeTls13(source) : 'off';
  }
}
