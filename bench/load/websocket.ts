// WebSocket echo: on each connection one message goes out, and the next when it is back.
import type { Socket } from 'node:net';
import { messageFrame } from './frames';
import { asked, say, whenParentEnds } from './inside';
import { openWebSocket } from './websocket-client';

export interface EchoLoad {
  readonly port: number;
  readonly path: string;
  readonly payloadBytes: number;
  readonly isTls: boolean;
  readonly connections: number;
  readonly seconds: number;
}

const load = asked<EchoLoad>();
const payload = Buffer.alloc(load.payloadBytes, 'w');
const message = messageFrame(payload, true);
const echo = messageFrame(payload, false);

let messages = 0;
let errors = 0;
let isOver = false;

function talk(socket: Socket): void {
  let received = 0;
  socket.on('data', (bytes: Buffer) => {
    // Comparing the first bytes finds an echo that is shifted or of another kind, and costs nothing.
    if (received === 0 && (bytes[0] !== echo[0] || bytes[1] !== echo[1])) errors += 1;
    received += bytes.length;
    if (received < echo.length) return;
    if (received > echo.length) errors += 1;
    received = 0;
    messages += 1;
    socket.write(message);
  });
  socket.on('error', () => undefined);
  socket.on('close', () => (errors += isOver ? 0 : 1));
  socket.write(message);
}

const open = () => openWebSocket(load.port, load.path, load.isTls);

async function main(): Promise<void> {
  const opened = await Promise.all(Array.from({ length: load.connections }, open));
  say({ at: 'begin' });
  const beganMs = performance.now();
  for (const { socket } of opened) talk(socket);
  setTimeout(() => {
    isOver = true;
    say({ at: 'end', result: { requests: messages, errors, seconds: (performance.now() - beganMs) / 1000 } });
  }, load.seconds * 1000);
}

whenParentEnds();
void main();
