import { Duplex } from 'node:stream';
import type { Transport, TransportUser } from '../contract/transport';

/** A transport as a stream of Node's, for a reader that knows no transports. */
export class TransportStream extends Duplex implements TransportUser {
  readonly encrypted: boolean;
  readonly remoteAddress: string;
  readonly remotePort: number;
  private onWritten: ((error?: Error | null) => void) | undefined;

  /** @param first what was read of it before */
  constructor(
    private readonly transport: Transport,
    first: Buffer,
  ) {
    super({ allowHalfOpen: true });
    this.encrypted = transport.isTls;
    const { address, port } = transport.peer;
    this.remoteAddress = address;
    this.remotePort = port;
    transport.user = this;
    transport.pause();
    if (first.length > 0) this.unshift(Buffer.from(first));
  }

  onData(bytes: Buffer, length: number): void {
    if (!this.push(Buffer.from(bytes.subarray(0, length)))) this.transport.pause();
  }

  onDrain(): void {
    this.written();
  }

  onError(error: Error): void {
    this.destroy(error);
  }

  onEnd(): void {
    this.push(null);
  }

  onClose(error: Error | undefined): void {
    this.destroy(error);
  }

  override _read(): void {
    this.transport.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.transport.writeBytes(chunk);
    this.onWritten = done;
    if (!this.transport.isBackedUp) this.written();
  }

  override _final(done: () => void): void {
    this.transport.end();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.transport.destroy();
    done(error);
  }

  private written(): void {
    const done = this.onWritten;
    this.onWritten = undefined;
    done?.();
  }
}
