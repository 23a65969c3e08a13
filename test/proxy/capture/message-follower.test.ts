import { constants, createDeflateRaw, deflateRawSync } from 'node:zlib';
import { Compression, MessageFollower } from '../../../proxy/capture/message-follower';
import { encodeFrame } from '../../../proxy/data-plane/moves/adapters/encode-frame';

const TEXT = 0x1;
const CLOSE = 0x8;
const PING = 0x9;
const FIN = 0x80;
const RSV1 = 0x40;

interface Followed {
  readonly follower: MessageFollower;
  readonly taken: (string | undefined)[];
  readonly held: { bytes: number };
  push(bytes: Buffer): void;
}

function follow(compression: Compression, { maxBytes = 1_000, roomBytes = 1e6 } = {}): Followed {
  const held = { bytes: 0 };
  const taken: (string | undefined)[] = [];
  const hold = (bytes: number) => {
    if (held.bytes + bytes > roomBytes) return false;
    held.bytes += bytes;
    return true;
  };
  const free = (bytes: number) => void (held.bytes -= bytes);
  const ofDictionaries = { holdDictionary: hold, freeDictionary: free };
  const follower = new MessageFollower({ maxBytes, compression, hold, free, ...ofDictionaries });
  const push = (bytes: Buffer) =>
    follower.follow(bytes, (opcode, payload) =>
      taken.push(payload && (opcode === CLOSE ? `close ${payload.readUInt16BE(0)}` : payload.toString())),
    );
  return { follower, taken, held, push };
}

/** The first frame of a message in fragments, or one with other bits. */
function frame(first: number, payload: Buffer, isMasked = true): Buffer {
  const bytes = encodeFrame(first & 0x0f, payload, isMasked);
  bytes[0] = first;
  return bytes;
}

const text = (payload: string) => encodeFrame(TEXT, Buffer.from(payload), true);

/** As an end compresses: with what came before, or each for itself. */
function createDeflater(): (payload: string) => Promise<Buffer> {
  const deflate = createDeflateRaw();
  return (payload) =>
    new Promise((resolve) => {
      const pieces: Buffer[] = [];
      const onData = (piece: Buffer) => pieces.push(piece);
      deflate.on('data', onData);
      deflate.write(payload);
      deflate.flush(constants.Z_SYNC_FLUSH, () => {
        deflate.off('data', onData);
        resolve(frame(FIN | RSV1 | TEXT, Buffer.concat(pieces).subarray(0, -4)));
      });
    });
}

test('messages are whole wherever their bytes are cut, in fragments with a Ping between them, too', () => {
  const bytes = Buffer.concat([
    text('one'),
    frame(TEXT, Buffer.from('in ')),
    frame(FIN | PING, Buffer.from('ping')),
    frame(0, Buffer.from('three ')),
    frame(FIN, Buffer.from('parts'), false),
    text(''),
    text('x'.repeat(300)),
    frame(FIN | CLOSE, Buffer.from([0x03, 0xe9])),
  ]);
  for (const size of [1, 2, 5, 1_000]) {
    const { push, taken, held } = follow('none');
    for (let at = 0; at < bytes.length; at += size) push(bytes.subarray(at, at + size));
    expect(taken).toEqual(['one', 'in three parts', '', 'x'.repeat(300), 'close 1001']);
    expect(held.bytes).toBe(0);
  }
});

test('a message that is too long, or for which there is no room, is passed over; the next one is read', () => {
  const long = follow('none', { maxBytes: 10 });
  long.push(
    Buffer.concat([text('x'.repeat(11)), frame(TEXT, Buffer.from('123456')), frame(FIN, Buffer.from('78901'))]),
  );
  long.push(text('short'));
  expect(long.taken).toEqual([undefined, undefined, 'short']);
  const full = follow('none', { roomBytes: 8 });
  full.push(text('123456789'));
  full.push(text('12345678'));
  expect(full.taken).toEqual([undefined, '12345678']);
  expect([long.held.bytes, full.held.bytes]).toEqual([0, 0]);
});

test('compressed messages are read, with what came before as their dictionary or without', async () => {
  const each = follow('each');
  const alone = deflateRawSync('alone alone', { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4);
  each.push(Buffer.concat([frame(FIN | RSV1 | TEXT, alone), text('plain')]));
  expect(each.taken).toEqual(['alone alone', 'plain']);
  const deflate = createDeflater();
  const context = follow('context');
  const sent = Array.from({ length: 200 }, (_, n) => `message ${n} ${'abcdefgh'.repeat(n)}`.slice(0, 900));
  for (const payload of sent) context.push(await deflate(payload));
  expect(context.taken).toEqual(sent);
  expect(context.held.bytes).toBe(2 ** 15);
  context.follower.end();
  expect(context.held.bytes).toBe(0);
});

test('behind a compressed message that could not be read, those that may refer to it are not read either', async () => {
  const deflate = createDeflater();
  const { push, taken } = follow('context', { maxBytes: 20 });
  for (const payload of ['first', 'x'.repeat(21), 'third']) push(await deflate(payload));
  push(text('plain'));
  expect(taken).toEqual(['first', undefined, undefined, 'plain']);
  // An extension that is not known here; and one that was not agreed.
  for (const compression of ['unknown', 'none'] as const) {
    const other = follow(compression);
    other.push(await createDeflater()('text'));
    expect(other.taken).toEqual([undefined]);
  }
});

test('it goes on in another process, in the middle of a message and with its dictionary', async () => {
  const deflate = createDeflater();
  const bytes = Buffer.concat([await deflate('hello hello'), await deflate('hello again'), text('plain')]);
  for (let at = 0; at <= bytes.length; at += 1) {
    const before = follow('context');
    before.push(bytes.subarray(0, at));
    const packed = JSON.parse(JSON.stringify(before.follower.pack())) as ReturnType<MessageFollower['pack']>;
    const after = follow('context');
    after.follower.unpack(packed);
    after.push(bytes.subarray(at));
    expect([...before.taken, ...after.taken]).toEqual(['hello hello', 'hello again', 'plain']);
  }
});
