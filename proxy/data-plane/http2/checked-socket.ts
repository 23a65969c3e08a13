import { Duplex } from 'node:stream';
import type { FrameGuard } from './frame-guard';

/** A connection as `node:http2` is to see it: of what comes, the part that a guard lets through. */
export class CheckedSocket extends Duplex {
  /** `socket`: no other reader has it. Writing to it beside this is possible between two whole frames, so at any time. */
  constructor(
    private readonly socket: Duplex,
    guard: FrameGuard,
  ) {
    super({ allowHalfOpen: false, highWaterMark: socket.readableHighWaterMark });
    socket.on('data', (chunk: Buffer) => {
      let isWanted = true;
      for (const bytes of guard.take(chunk)) isWanted = this.push(bytes);
      if (!isWanted) socket.pause();
    });
    socket.pause();
    socket.once('end', () => this.push(null));
    socket.once('error', (error) => this.destroy(error));
    socket.once('close', () => this.destroy());
  }

  override _read(): void {
    this.socket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.socket.write(chunk, done);
  }

  override _writev(chunks: readonly { readonly chunk: Buffer }[], done: (error?: Error | null) => void): void {
    this.socket.cork();
    chunks.forEach(({ chunk }, index) => this.socket.write(chunk, index === chunks.length - 1 ? done : undefined));
    this.socket.uncork();
  }

  override _final(done: () => void): void {
    this.socket.end(done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.socket.destroy();
    done(error);
  }
}
