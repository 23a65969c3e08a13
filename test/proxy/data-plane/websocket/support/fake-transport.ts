import type { Socket } from 'node:net';
import { NO_USER, Transport, TransportUser } from '../../../../../proxy/data-plane/contract/transport';

/** A wire that a test plays: it notes what it is asked, and tells what the test says. */
export class FakeTransport implements Transport {
  user: TransportUser = NO_USER;
  isBackedUp = false;
  isPaused = false;
  isDestroyed = false;
  hasFailed = false;
  hasPending = false;
  pendingBytes = 0;
  peer = { address: '192.0.2.1', port: 1 };
  readonly isTls = false;
  /** What was written, as one text. */
  written = '';
  readonly calls: string[] = [];

  write(text: string): void {
    this.written += text;
  }

  writeBytes(bytes: Buffer, before = ''): void {
    this.written += before + bytes.toString('latin1');
    this.calls.push('writeBytes');
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  end(): void {
    this.calls.push('end');
  }

  close(): void {
    this.destroy();
  }

  destroy(): void {
    if (!this.isDestroyed) this.calls.push('destroy');
    this.isDestroyed = true;
  }

  reset(): void {
    this.destroy();
  }

  giveUp(): Socket {
    throw new Error('a fake wire has no socket');
  }

  /** Tells of bytes that are of no use after the call, unless they are still to be written. */
  receive(bytes: Buffer): void {
    const lent = Buffer.from(bytes);
    this.user.onData(lent, lent.length);
    lent.fill(0xee);
  }

  drain(): void {
    this.isBackedUp = false;
    this.user.onDrain();
  }
}
