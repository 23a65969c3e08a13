import { stopAll, until } from '../../support/world';
import { startFront } from './support/front';
import { closeCode, connect, startCounter } from './support/peers';

afterEach(stopAll);

test('a tunnel without a byte either way is cut', async () => {
  const counter = await startCounter();
  const front = await startFront(counter.port, { idle: { openMs: 80 } });
  const socket = await connect(front.port);
  expect(await closeCode(socket)).toBe(1006);
  await until(() => counter.server.clients.size === 0);
  expect(front.endings).toEqual(['forced']);
});

test('a tunnel that talks is not', async () => {
  const counter = await startCounter();
  const front = await startFront(counter.port, { idle: { openMs: 1_000 } });
  const socket = await connect(front.port);
  const startedMs = performance.now();
  while (performance.now() - startedMs < 1_500) {
    const echo = new Promise((resolve) => socket.once('message', resolve));
    setTimeout(() => socket.send('x'), 60);
    await echo;
  }
  expect(front.endings).toEqual([]);
});

test('without a limit a silent tunnel stays, while one with a limit is cut', async () => {
  const counter = await startCounter();
  const front = await startFront(counter.port);
  const limited = await startFront(counter.port, { idle: { openMs: 50 } });
  const socket = await connect(front.port);
  await closeCode(await connect(limited.port));
  const echo = new Promise((resolve) => socket.once('message', (data: Buffer) => resolve(data.toString())));
  socket.send('hello');
  expect(await echo).toBe('hello');
});
