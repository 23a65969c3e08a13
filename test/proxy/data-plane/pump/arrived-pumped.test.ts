import { SocketPairs } from '../../../../proxy/data-plane/pump/socket-pairs';
import { ArrivedPumped } from '../../../../proxy/data-plane/pump/arrived-pumped';
import { until } from '../../../support/until';

const PEER = { address: '192.0.2.7', port: 4711 };

test('what has arrived counts until it is closed, or goes on', async () => {
  const pairs = new SocketPairs();
  let pair = pairs.take();
  await until(() => (pair ??= pairs.take()) !== undefined);
  const arrived = new ArrivedPumped();
  const state = { peer: PEER, isTls: true, hasReadEnd: false, isShutDown: false, header: '', left: 0 };
  const first = arrived.unpack({ handle: pair!.far, state, unread: Buffer.alloc(0) });
  expect([arrived.size, arrived.has(first)]).toEqual([1, true]);
  const packed = first.pack();
  expect(arrived.size).toBe(0);
  const next = arrived.unpack(packed);
  expect(arrived.size).toBe(1);
  next.resume();
  pair!.near.destroy();
  await until(() => arrived.size === 0);
  expect(next.isDestroyed).toBe(true);
  await pairs.close();
});
