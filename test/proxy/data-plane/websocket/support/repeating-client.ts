import type { WebSocket } from 'ws';
import { closeCode } from './peers';

export interface Repeated {
  readonly sent: number;
  readonly responses: string[];
  /** With which each of its connections ended. */
  readonly codes: number[];
}

/** Sends without waiting, keeps what is unanswered, and repeats it on its next connection until it is told to stop. */
export async function runRepeatingClient(
  name: number,
  connect: () => Promise<WebSocket>,
  isStopping: () => boolean,
): Promise<Repeated> {
  const unanswered: string[] = [];
  const responses: string[] = [];
  const codes: number[] = [];
  let n = 0;
  while (!isStopping() || unanswered.length > 0) {
    const socket = await connect();
    const over = closeCode(socket);
    socket.on('message', (data: Buffer) => {
      expect(data.toString()).toBe(unanswered.shift());
      responses.push(data.toString());
      if (isStopping() && unanswered.length === 0) socket.close(1000);
    });
    for (const message of unanswered) socket.send(message);
    const timer = setInterval(() => {
      if (isStopping()) return;
      for (let logThrottle = 0; logThrottle < 20; logThrottle += 1) {
        const message = `${name}-${(n += 1)}-${'z'.repeat((n * 37) % 300)}`;
        unanswered.push(message);
        socket.send(message);
      }
    }, 1);
    codes.push(await over);
    clearInterval(timer);
  }
  return { sent: n, responses, codes };
}
