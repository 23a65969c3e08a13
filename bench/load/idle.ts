// Opens connections, each of which asks once, and then keeps them open and still.
import { connect, type Socket } from 'node:net';
import { HOST } from '../processes/ports';
import { ResponseReader } from './response-reader';
import { asked, say, whenParentEnds } from './inside';
import { openWebSocket } from './websocket-client';

export interface IdleLoad {
  readonly port: number;
  readonly path: string;
  readonly kind: 'websocket' | 'keepAlive';
  /** Only of a WebSocket. */
  readonly isTls: boolean;
  readonly connections: number;
}

export interface IdleLine {
  readonly open?: number;
  /** Connections that did not stay open. */
  readonly lost?: number;
}

/** Connections that are being opened at a time: fewer than the upstream connections that a proxy keeps. */
const AT_ONCE = 64;
const RESPONSE_MS = 5_000;

const load = asked<IdleLoad>();
let left = load.connections;
let lost = 0;
let open = 0;

async function openSome(): Promise<void> {
  while (left > 0) {
    left -= 1;
    try {
      const socket = load.kind === 'websocket' ? await webSocket() : await keepAlive();
      open += 1;
      socket.on('error', () => undefined).on('close', () => (lost += 1));
      socket.resume();
    } catch {
      lost += 1;
    }
  }
}

async function webSocket(): Promise<Socket> {
  return (await openWebSocket(load.port, load.path, load.isTls)).socket;
}

function keepAlive(): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: HOST, port: load.port });
    // A proxy that has no room for more may accept a connection and never respond on it.
    socket.setTimeout(RESPONSE_MS, () => socket.destroy());
    const responses = new ResponseReader({
      end: () => {
        socket.setTimeout(0);
        resolve(socket);
      },
    });
    socket.on('data', (bytes) => responses.push(bytes));
    socket.once('error', reject).once('close', () => reject(new Error('The connection was closed')));
    socket.write(`GET ${load.path} HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
  });
}

whenParentEnds(() => {
  say({ lost });
  process.exit(0);
});
void Promise.all(Array.from({ length: AT_ONCE }, openSome)).then(() => say({ open }));
