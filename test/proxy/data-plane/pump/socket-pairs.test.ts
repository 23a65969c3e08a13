import { once } from 'node:events';
import net, { Server, Socket } from 'node:net';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SocketPair, SocketPairs, SocketPairsOptions, closePair } from '../../../../proxy/data-plane/pump/socket-pairs';
import { PrivateSocket, listenPrivately } from '../../../../proxy/data-plane/shared/private-socket';
import { until } from '../../../support/until';

const folder = mkdtempSync(join(tmpdir(), 'drainshift-pairs-'));
const opened: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
});
afterAll(() => rmSync(folder, { recursive: true }));

function open(options: SocketPairsOptions): SocketPairs {
  const pairs = new SocketPairs(options);
  opened.push(pairs);
  return pairs;
}

async function takeOne(pairs: SocketPairs): Promise<SocketPair> {
  let pair = pairs.take();
  await until(() => (pair ??= pairs.take()) !== undefined);
  return pair!;
}

/** In the place of our own listener, which is not asked. */
async function listenElsewhere(accept: (socket: Socket) => void): Promise<PrivateSocket & { readonly server: Server }> {
  const path = join(folder, `${Math.random()}`);
  const server = net.createServer({ allowHalfOpen: true }, accept);
  server.listen(path);
  await once(server, 'listening');
  opened.push(server);
  return { server, path, close: async () => void server.close() };
}

test.each([
  ['is closed at once', (socket: Socket) => void socket.destroy(), 600_000, /gone/],
  ['says nothing', (socket: Socket) => opened.push({ close: () => socket.destroy() }), 50, /too long/],
])('a pair whose other end %s fails, and keeps no one waiting', async (_, accept, limitMs, why) => {
  const told: string[] = [];
  const pairs = open({ listen: () => listenElsewhere(accept), limitMs, failed: (message) => told.push(message) });
  expect(pairs.take()).toBeUndefined();
  expect(pairs.isMaking).toBe(true);
  await until(() => pairs.isFailing);
  expect(pairs.isMaking).toBe(false);
  expect(told).toEqual([expect.stringMatching(why)]);
});

test('one that is emptied makes pairs again, and one that is closed does not', async () => {
  let closed = 0;
  const listen: typeof listenPrivately = async (accept) => {
    const socket = await listenPrivately(accept, folder);
    const close = async () => {
      await socket.close();
      closed += 1;
      throw new Error('the folder is not empty');
    };
    return { path: socket.path, close };
  };
  const pairs = open({ listen });
  closePair(await takeOne(pairs));
  await pairs.empty();
  expect(closed).toBe(1);
  expect(pairs.isFailing).toBe(false);
  closePair(await takeOne(pairs));
  await pairs.close();
  expect(closed).toBe(2);
  expect([pairs.isFailing, pairs.isMaking, pairs.take()]).toEqual([true, false, undefined]);
});

test('a connection that sends no token is closed after a while', async () => {
  let path = '';
  const listen: typeof listenPrivately = async (accept) => {
    const socket = await listenPrivately(accept, folder);
    path = socket.path;
    return socket;
  };
  const pairs = open({ listen, limitMs: 50 });
  closePair(await takeOne(pairs));
  const stranger = net.connect(path);
  stranger.resume();
  await once(stranger, 'close');
});
