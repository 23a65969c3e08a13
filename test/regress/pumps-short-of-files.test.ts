import type { Socket } from 'node:net';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { SocketPairs, closePair } from '../../proxy/data-plane/pump/socket-pairs';
import { listenPrivately } from '../../proxy/data-plane/shared/private-socket';
import { until } from '../support/until';

const folder = mkdtempSync(path.join(tmpdir(), 'drainshift-pairs-'));
afterAll(() => rmSync(folder, { recursive: true }));

// With few files left a restart pumped none of many connections: the first ends of all pairs took the files that their other ends needed.
test('few pairs of sockets are begun at once, and as many are made as were missed', async () => {
  const waiting: (() => void)[] = [];
  let begun = 0;
  const listen: typeof listenPrivately = (accept) =>
    listenPrivately((socket: Socket) => {
      begun += 1;
      waiting.push(() => accept(socket));
    }, folder);
  const pairs = new SocketPairs({ listen, limitMs: 600_000 });
  const count = 100;
  for (let missed = 0; missed < count; missed += 1) pairs.take();
  let most = 0;
  let made = 0;
  while (made < count) {
    await until(() => waiting.length > 0);
    for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate);
    most = Math.max(most, waiting.length);
    const before = begun;
    waiting.shift()!();
    made += 1;
    if (made + waiting.length < count) await until(() => begun > before);
  }
  expect(most).toBe(16);
  let taken = 0;
  await until(() => {
    const pair = pairs.take();
    if (pair !== undefined) {
      taken += 1;
      closePair(pair);
    }
    return taken === count;
  });
  await pairs.close();
});
