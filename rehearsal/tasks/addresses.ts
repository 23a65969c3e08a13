import { once } from 'node:events';
import { createServer, Server } from 'node:net';

/** 127.0.0.x and 127.0.1.x are where machines put their own names. */
const BLOCKS = { first: 2, count: 250 } as const;
const ADDRESSES = 250;

/**
 * Loopback addresses for tasks, 127.0.x.y: Linux responds on all of 127.0.0.0/8, so every task has all ports to itself. The
 * third number is of this process alone, for as long as it lives: two rehearsals on one machine keep apart, and a task of one
 * is never taken for a task of the other.
 */
export class Addresses {
  private taken = 0;

  private constructor(
    private readonly block: number,
    private readonly claim: Server,
  ) {}

  /**
   * @throws Error when every block is in use
   */
  static async claim(): Promise<Addresses> {
    for (let tried = 0; tried < BLOCKS.count; tried += 1) {
      const block = BLOCKS.first + ((process.pid + tried) % BLOCKS.count);
      const claim = await listenAlone(block);
      if (claim) return new Addresses(block, claim);
    }
    throw new Error(`one of ${BLOCKS.count} blocks of loopback addresses must be free, got none`);
  }

  /** After 250 the first one follows again: its task has long ended. */
  take(): string {
    this.taken += 1;
    return `127.0.${this.block}.${1 + (this.taken % ADDRESSES)}`;
  }

  /** For another process. */
  async release(): Promise<void> {
    if (!this.claim.listening) return;
    this.claim.close();
    await once(this.claim, 'close');
  }
}

/**
 * The name of an abstract socket is in use by one process at a time, and free when this one ends, however it does. It is of the
 * same network namespace as the addresses.
 *
 * @returns undefined where another process has the block
 * @see https://man7.org/linux/man-pages/man7/unix.7.html
 */
async function listenAlone(block: number): Promise<Server | undefined> {
  const server = createServer((socket) => socket.destroy()).unref();
  try {
    server.listen({ path: `\0drainshift-127.0.${block}` });
    await once(server, 'listening');
    return server;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return undefined;
    throw error;
  }
}
