import net, { Socket } from 'node:net';
import { later, liveIn, startEngine, startRawBackend, stopAll, until } from '../proxy/support/world';

afterEach(stopAll);

/** More than the kernel and the proxy take of it. */
const AHEAD = 'GET /' + 'a'.repeat(16_000_000);

/** A client that asks, and sends so much ahead that it is not read any more. */
async function askAndPush(port: number): Promise<Socket> {
  const client = net.connect(port, '127.0.0.1');
  later(() => void client.destroy());
  client.on('error', () => undefined);
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await new Promise((resolve) => client.once('data', resolve));
  client.pause();
  client.write(AHEAD);
  let last = -1;
  while (last !== client.writableLength) {
    last = client.writableLength;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  expect(last).toBeGreaterThan(0);
  return client;
}

test('a client that vanishes while it is not read is noticed by the next write to it', async () => {
  let upstream: Socket | undefined;
  const port = await startRawBackend((socket) => {
    upstream = socket;
    socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n'));
  });
  const engine = await startEngine(port);
  const client = await askAndPush(engine.port);
  client.resetAndDestroy();
  const timer = setInterval(() => upstream?.write('data: 2\n\n'), 5);
  later(() => clearInterval(timer));
  await until(() => liveIn(engine.ledger) === 0 && upstream?.destroyed === true);
  expect(engine.outcomes).toMatchObject([{ kind: 'serverSentEvents', ending: 'forced' }]);
});

test('what it did not get is not pulled out of the upstream, nor counted as sent', async () => {
  const size = 100_000_000;
  let pulled = 0;
  const port = await startRawBackend((socket) => {
    const piece = Buffer.alloc(1_000_000);
    const push = () => {
      while (pulled < size) {
        pulled += piece.length;
        if (!socket.write(piece)) return void socket.once('drain', push);
      }
    };
    socket.once('data', () => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`);
      push();
    });
  });
  const engine = await startEngine(port);
  const client = await askAndPush(engine.port);
  client.resetAndDestroy();
  await until(() => engine.outcomes.length === 1);
  expect(engine.outcomes).toMatchObject([{ status: 200, ending: 'forced' }]);
  expect(engine.outcomes[0]!.bytesSent).toBeLessThan(size);
  expect(pulled).toBeLessThan(size);
});
