import type { Socket } from 'node:net';
import { ClientResponse, rawAnswer } from './head';

/** Every client connection of a server, and the answers that each one still has to get. */
export class ClientSockets {
  private readonly owed = new Map<Socket, Set<ClientResponse>>();
  private readonly afterAnswers = new WeakMap<Socket, () => void>();

  add(socket: Socket): void {
    // Without a listener a reset is an uncaught exception, and it may come before anything else is known of a client.
    socket.on('error', () => undefined);
    socket.setMaxListeners(0);
    this.owed.set(socket, new Set());
    socket.once('close', () => this.owed.delete(socket));
  }

  follow(socket: Socket, response: ClientResponse): void {
    this.owed.get(socket)?.add(response);
    response.once('close', () => this.answered(socket, response));
  }

  /** Whether every answer is there, if not on its way yet. */
  isAnswered(socket: Socket): boolean {
    return [...(this.owed.get(socket) ?? [])].every((response) => response.writableEnded);
  }

  /** Calls when the last answer of a connection is on its way, which may be now. */
  whenIdle(socket: Socket, call: () => void): void {
    if ((this.owed.get(socket)?.size ?? 0) === 0) call();
    else this.afterAnswers.set(socket, call);
  }

  /** Answers what is no request, unless the bytes of another answer would be torn by it. */
  refuse(socket: Socket, status: number): void {
    if (!socket.writable || (this.owed.get(socket)?.size ?? 0) > 0) socket.destroy();
    else socket.end(rawAnswer(status), () => socket.destroy());
  }

  destroy(): void {
    for (const socket of this.owed.keys()) socket.destroy();
  }

  private answered(socket: Socket, response: ClientResponse): void {
    const owed = this.owed.get(socket);
    owed?.delete(response);
    const call = this.afterAnswers.get(socket);
    if (owed?.size !== 0 || !call) return;
    this.afterAnswers.delete(socket);
    call();
  }
}
