import { stopAll, until } from '../../support/world';
import { startFront } from './support/front';
import { connectRaw, startRawUpstream } from './support/peers';

afterEach(stopAll);

test('a cut ends both connections at once, is reported once, and is reported to a close that waits', async () => {
  const upstream = await startRawUpstream();
  const front = await startFront(upstream.port);
  const client = connectRaw(front.port);
  await until(() => front.tunnels.length === 1);
  const [tunnel] = front.tunnels;
  const closing = tunnel!.close();
  tunnel!.destroy();
  expect(front.endings).toEqual(['forced']);
  tunnel!.destroy();
  await closing;
  await until(() => client.hasEnded() && upstream.peers[0]!.hasEnded());
  expect(front.endings).toEqual(['forced']);
});

test('an error of our own costs this tunnel, and is reported', async () => {
  const upstream = await startRawUpstream();
  const front = await startFront(upstream.port);
  const client = connectRaw(front.port);
  await until(() => front.tunnels.length === 1);
  const error = new Error('of our own');
  front.wires[0]!.upstream.write = () => {
    throw error;
  };
  client.socket.write('x');
  await until(() => client.hasEnded());
  expect(front.faults).toEqual([error]);
  expect(front.endings).toEqual(['forced']);
});
