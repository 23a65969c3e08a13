import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { HOST } from '../processes/ports';

export interface Upgraded {
  readonly socket: Socket;
  /** What came together with the response. */
  readonly early: Buffer;
}

/** The handshake got a response, and not with 101. */
export class HandshakeRejected extends Error {
  /** Of its response. */
  readonly head: string;

  constructor(head: string) {
    super(`'handshake' must be responded to with 101, got ${head.slice(0, head.indexOf('\r\n'))}`);
    this.head = head;
  }
}

/** A WebSocket on a connection of its own. @throws Error when it is rejected. */
export function openWebSocket(port: number, path: string, isTls = false): Promise<Upgraded> {
  const socket = isTls
    ? connectTls({ host: HOST, port, rejectUnauthorized: false }).setNoDelay(true)
    : connect({ host: HOST, port, noDelay: true });
  return askForWebSocket(socket, path);
}

/** A WebSocket handshake, straight on a socket that is open or about to be. @throws HandshakeRefused, or Error at its end. */
export function askForWebSocket(socket: Socket, path: string): Promise<Upgraded> {
  return new Promise((resolve, reject) => {
    let head: Buffer = Buffer.alloc(0);
    const read = (bytes: Buffer) => {
      head = Buffer.concat([head, bytes]);
      const end = head.indexOf('\r\n\r\n');
      if (end < 0) return;
      socket.off('data', read).off('error', reject).off('close', cut);
      const text = head.toString('latin1', 0, end + 4);
      if (text.startsWith('HTTP/1.1 101 ')) return resolve({ socket, early: head.subarray(end + 4) });
      socket.destroy();
      reject(new HandshakeRejected(text));
    };
    const cut = () => reject(new Error("'handshake' must get a response, got the end of the connection"));
    socket.on('data', read).once('error', reject).once('close', cut);
    socket.write(handshake(path));
  });
}

function handshake(path: string): string {
  return (
    `GET ${path} HTTP/1.1\r\nHost: ${HOST}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
    `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n\r\n`
  );
}
