import type { ServerResponse } from 'node:http';
import net, { type Socket } from 'node:net';
import tls from 'node:tls';
import { later, selfSigned, startBackend, startEngine, stopAll, until } from '../../support/world';

afterEach(stopAll);

const PATIENCE_MS = 1_000;
const LOOK_MS = PATIENCE_MS / 10;
/** At a look. The kernel says that there is room when a third of its buffer has been read, which has up to 4 MiB. */
const PIECE = 1024 * 1024;

/** A response without an end, as fast as it is taken. */
function endless(_: unknown, response: ServerResponse): void {
  const chunk = Buffer.alloc(64 * 1024);
  const fill = (): void => {
    while (response.write(chunk));
    response.once('drain', fill);
  };
  fill();
}

/** Reads a piece every so often, until it is told to stop. */
function readSlowly(socket: Socket): { readonly taken: () => number; readonly stop: () => void } {
  let taken = 0;
  let end = PIECE;
  socket.on('data', (bytes: Buffer) => {
    taken += bytes.length;
    if (taken >= end) socket.pause();
  });
  const timer = setInterval(() => {
    end = taken + PIECE;
    socket.resume();
  }, LOOK_MS);
  const stop = () => clearInterval(timer);
  later(stop);
  return { taken: () => taken, stop };
}

test.each(['TCP', 'TLS'])('over %s a reader that takes a piece now and then is not given up', async (way) => {
  const backend = await startBackend(endless);
  const secret = way === 'TLS' ? { tls: await selfSigned() } : {};
  const engine = await startEngine(backend.port, { timeouts: { bodyIdleMs: PATIENCE_MS }, ...secret });
  const at = { port: engine.port, host: '127.0.0.1', rejectUnauthorized: false };
  const socket = way === 'TLS' ? tls.connect(at) : net.connect(at);
  socket.on('error', () => undefined);
  later(() => void socket.destroy());
  socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  const reader = readSlowly(socket);
  const startedMs = performance.now();
  await until(() => engine.outcomes.length > 0 || performance.now() - startedMs > 3 * PATIENCE_MS);
  expect(engine.outcomes).toEqual([]);
  expect(reader.taken()).toBeGreaterThan(0);
  // With no one who reads there is nothing to wait for.
  reader.stop();
  await until(() => engine.outcomes.length === 1);
  expect(engine.outcomes).toMatchObject([{ status: 200, kind: 'streaming', ending: 'forced' }]);
});
