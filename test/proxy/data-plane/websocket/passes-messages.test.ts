import { createHash, randomFillSync } from 'node:crypto';
import { stopAll, until } from '../../support/world';
import { WIRES, startFront } from './support/front';
import { TEXT, closeCode, connect, connectRaw, frame, startCounter, startRawUpstream } from './support/peers';

afterEach(stopAll);

test.each(WIRES)('messages of all sizes go through both ways, in order, compressed or not (%s)', async (wires) => {
  const counter = await startCounter();
  const front = await startFront(counter.port, { wires });
  for (const perMessageDeflate of [true, false]) {
    const socket = await connect(front.port, { perMessageDeflate });
    const got: number[] = [];
    socket.on('message', (data: Buffer) => got.push(data.length));
    const sizes = [0, 1, 125, 126, 16_376, 16_384, 65_535, 65_536, 1_000_000, 3];
    for (const size of sizes) socket.send('x'.repeat(size));
    await until(() => got.length === sizes.length);
    expect(got).toEqual(sizes);
    const code = closeCode(socket);
    socket.close(1000);
    expect(await code).toBe(1000);
  }
  await until(() => front.endings.length === 2);
  expect(front.endings).toEqual(['completed', 'completed']);
  expect(front.faults).toEqual([]);
});

test.each(WIRES)('large messages of many clients at once arrive byte by byte as they were sent (%s)', async (wires) => {
  const counter = await startCounter();
  const front = await startFront(counter.port, { wires });
  const digest = (bytes: Buffer) => createHash('sha1').update(bytes).digest('hex');
  const talk = async (size: number) => {
    const socket = await connect(front.port, { perMessageDeflate: false });
    const sent: string[] = [];
    const got: string[] = [];
    socket.on('message', (data: Buffer) => got.push(digest(data)));
    for (let n = 0; n < 4; n += 1) {
      const bytes = randomFillSync(Buffer.alloc(size));
      sent.push(digest(bytes));
      socket.send(bytes);
    }
    await until(() => got.length === sent.length);
    expect(got).toEqual(sent);
  };
  await Promise.all([3_000_000, 1_000_000, 300_000, 70_000, 20_000, 4_000, 100].map(talk));
  expect(front.faults).toEqual([]);
});

test('bytes right behind the handshake are not lost, on either side', async () => {
  const first = frame(TEXT, 'hi');
  const upstream = await startRawUpstream(first);
  const front = await startFront(upstream.port);
  const early = frame(TEXT, 'yo', { mask: true });
  const client = connectRaw(front.port, early);
  await until(() => client.received().equals(first) && upstream.peers[0]!.received().equals(early));
  expect(front.endings).toEqual([]);
});

test('the bytes of both ways are counted from behind the handshake', async () => {
  const upstream = await startRawUpstream(frame(TEXT, 'early'));
  const front = await startFront(upstream.port);
  const client = connectRaw(front.port, frame(TEXT, 'x', { mask: true }));
  await until(() => client.received().length === 7);
  upstream.peers[0]!.socket.write(frame(TEXT, 'y'.repeat(200)));
  client.socket.write(frame(TEXT, 'y'.repeat(20_000), { mask: true }));
  await until(() => client.received().length === 211 && upstream.peers[0]!.received().length === 20_015);
  expect(front.tunnels[0]).toMatchObject({ bytesReceived: 20_015, bytesSent: 211 });
});

test('the code of a Close goes through, whichever side begins', async () => {
  const counter = await startCounter();
  const front = await startFront(counter.port);
  const socket = await connect(front.port);
  const code = closeCode(socket);
  for (const client of counter.server.clients) client.close(4001, 'enough');
  expect(await code).toBe(4001);
  await until(() => front.endings.length === 1);
  expect(front.endings).toEqual(['completed']);
});
