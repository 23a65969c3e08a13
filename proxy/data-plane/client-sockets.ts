import type { Socket } from 'node:net';
import { rawAnswer } from './head';

/** Every client connection of a server, and how many requests each one waits an answer for. */
export class ClientSockets {
  private readonly waiting = new Map<Socket, number>();

  add(socket: Socket): void {
    // Without a listener a reset is an uncaught exception, and it may come before anything else is known of a client.
    socket.on('error', () => undefined);
    socket.setMaxListeners(0);
    this.waiting.set(socket, 0);
    socket.once('close', () => this.waiting.delete(socket));
  }

  began(socket: Socket): void {
    this.waiting.set(socket, (this.waiting.get(socket) ?? 0) + 1);
  }

  ended(socket: Socket): void {
    const count = this.waiting.get(socket);
    if (count !== undefined) this.waiting.set(socket, count - 1);
  }

  /** Answers what is no request, unless the bytes of another answer would be torn by it. */
  refuse(socket: Socket, status: number): void {
    if (!socket.writable || (this.waiting.get(socket) ?? 0) > 0) socket.destroy();
    else socket.end(rawAnswer(status), () => socket.destroy());
  }

  destroy(): void {
    for (const socket of this.waiting.keys()) socket.destroy();
  }
}
