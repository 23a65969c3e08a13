import type { Socket } from 'node:net';
import { startRawBackend, stopAll, until } from '../../support/world';
import { SETTINGS, frame } from './support/frames';
import { startUpstreams } from './support/upstreams';

afterEach(stopAll);

const WINDOW_UPDATE = 8;
/** Windows without a limit: what stops the upload is TCP. */
const WIDE = Buffer.concat([
  frame(SETTINGS, 0, 0, Buffer.from('00047fffffff', 'hex')),
  frame(WINDOW_UPDATE, 0, 0, Buffer.from('7ff00000', 'hex')),
]);

test('an idle connection to an upstream that reads nothing is not kept for ever', async () => {
  const sockets: Socket[] = [];
  const port = await startRawBackend((socket) => {
    sockets.push(socket);
    socket.once('data', () => {
      socket.write(WIDE);
      socket.pause();
    });
  });
  const timeouts = { clientIdleMs: 100, bodyIdleMs: 50, connectMs: 60_000 };
  const { half } = startUpstreams({ timeouts }).open(
    { protocol: 'http', host: '127.0.0.1', port },
    { method: 'POST', bodyLength: -1 },
  );
  await until(() => !half.isBackedUp);
  const kernels = 32 * 1024 * 1024;
  half.send(Buffer.alloc(kernels));
  await until(() => half.isBackedUp);
  half.destroy();
  // A socket that no one reads sees an end only when it writes.
  const knock = setInterval(() => sockets[0]!.write(frame(SETTINGS, 0, 0)), 20);
  await until(() => sockets[0]!.destroyed);
  clearInterval(knock);
});
