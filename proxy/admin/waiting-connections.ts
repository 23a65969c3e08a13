import type { Server, Socket } from 'node:net';

/** Connections that have no call in hand; a cutover has one or two. */
const MAX_WAITING = 64;

/**
 * The connections on which no signed call is being served: half-open ones, idle ones, and those of strangers. Where there are
 * too many the oldest goes, so that no peer without the secret keeps out one that has it.
 */
export class WaitingConnections {
  /** The longest waiting first. */
  private readonly sockets = new Set<Socket>();

  constructor(server: Server) {
    server.on('connection', (socket: Socket) => {
      this.wait(socket);
      socket.once('close', () => this.sockets.delete(socket));
    });
  }

  /** A signed call has come. */
  serves(socket: Socket): void {
    this.sockets.delete(socket);
  }

  /** It is new, or its call has ended. */
  wait(socket: Socket): void {
    if (socket.destroyed) return;
    this.sockets.add(socket);
    if (this.sockets.size <= MAX_WAITING) return;
    const [oldest] = this.sockets;
    oldest?.destroy();
  }
}
