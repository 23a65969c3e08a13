import { closeFrame } from '../../proxy/data-plane/websocket/frame-scanner';
import { TEXT, connectRaw, frame } from '../proxy/data-plane/websocket/support/peers';
import { startMoves, startRaw } from '../proxy/moves/support/world';
import { stopAll, until } from '../proxy/support/world';

afterEach(stopAll);

const TOKEN = 'X-Drainshift-Resume-Token: t\r\n';
const PONG = 0xa;
/** Masked, with a payload of eight bytes; and masked, with a code alone. */
const [PING_HEAD, CLOSE_HEAD] = [Buffer.from([0x89, 0x88]), Buffer.from([0x88, 0x82])];

/** The payload of the first Ping in these bytes. */
function readPing(bytes: Buffer): Buffer {
  const at = bytes.indexOf(PING_HEAD);
  const mask = bytes.subarray(at + 2, at + 6);
  return Buffer.from(bytes.subarray(at + 6, at + 14).map((byte, index) => byte ^ mask[index % 4]!));
}

test('a Pong of a move that comes behind its time, before the Close, does not reach the client', async () => {
  const source = await startRaw(
    (handshake) => {
      handshake.accept(TOKEN);
      let hasEnded = false;
      handshake.onData(() => {
        const bytes = handshake.received();
        if (hasEnded || !bytes.includes(CLOSE_HEAD)) return;
        hasEnded = true;
        const late = [frame(PONG, readPing(bytes)), frame(PONG, 'of its own'), frame(TEXT, 'last')];
        handshake.socket.end(Buffer.concat([...late, closeFrame(1001, '', false)]));
      });
    },
    { respondsToPings: false },
  );
  const target = await startRaw((handshake) => {
    handshake.accept(TOKEN);
    handshake.socket.write(frame(TEXT, 'first'));
  });
  const { port, proxy, retarget } = await startMoves(source, target, { timeoutMs: 300 });
  const client = connectRaw(port);
  await until(() => proxy.report().active.websocket === 1);
  await retarget('target');
  const expected = Buffer.concat([frame(PONG, 'of its own'), frame(TEXT, 'last'), frame(TEXT, 'first')]);
  await until(() => client.received().length >= expected.length);
  expect(client.received().toString('latin1')).toBe(expected.toString('latin1'));
});
