import { once } from 'node:events';
import { deflateRawSync } from 'node:zlib';
import type { AddressInfo } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';
import {
  MessageReader,
  MessageReaderOptions,
  Piece,
} from '../../../../../proxy/data-plane/moves/adapters/message-reader';
import { encodeFrame } from '../../../../../proxy/data-plane/moves/adapters/encode-frame';
import { closeFrame } from '../../../../../proxy/data-plane/websocket/frame-scanner';
import { later, stopAll } from '../../../support/world';
import { CONTINUATION, PING, TEXT, frame } from '../../websocket/support/peers';

afterAll(stopAll);

const BINARY = 0x2;
const RSV1 = 0x40;

/** All pieces of `bytes`, in parts of `size` whose memory is used again, as a socket's is. */
function readAll(bytes: Buffer, size: number, options: Partial<MessageReaderOptions> = {}) {
  const reader = new MessageReader({ maxBytes: 2 ** 20, isDeflated: false, ...options });
  const pieces: Piece[] = [];
  const borrowed = Buffer.alloc(size);
  for (let from = 0; from < bytes.length; from += size) {
    const part = borrowed.subarray(0, bytes.copy(borrowed, 0, from, from + size));
    let at = 0;
    while (at < part.length) {
      at = reader.read(part, at);
      const piece = reader.take();
      if (piece !== undefined) pieces.push({ ...piece, payload: Buffer.from(piece.payload) });
    }
    borrowed.fill(0xee);
  }
  return { reader, pieces };
}

const show = (piece: Piece) =>
  piece.kind === 'message'
    ? `${piece.isText ? 'text' : 'bytes'} ${piece.payload.length}`
    : `control ${piece.opcode} ${piece.payload.length}`;

test.each([0, 1, 125, 126, 65_535, 65_536, 2 ** 20])(
  'a message of %i bytes is read whole, however it comes',
  (length) => {
    const payload = Buffer.alloc(length, 'ab');
    for (const isMasked of [false, true]) {
      const bytes = Buffer.concat([
        encodeFrame(TEXT, payload, isMasked),
        encodeFrame(BINARY, Buffer.from('!'), isMasked),
      ]);
      for (const size of [bytes.length, 70_001, ...(length < 70_000 ? [1, 7] : [])]) {
        const { reader, pieces } = readAll(bytes, size);
        expect(pieces.map(show)).toEqual([`text ${length}`, 'bytes 1']);
        expect(pieces[0]!.payload.equals(payload)).toBe(true);
        expect(reader).toMatchObject({ isAtBoundary: true, heldBytes: 0, failure: undefined });
      }
    }
  },
);

test('fragments are one message, and control frames between them come when they come', () => {
  const bytes = Buffer.concat([
    frame(TEXT, 'ab', { fin: false, mask: true }),
    frame(PING, 'p'),
    frame(CONTINUATION, '', { fin: false }),
    frame(CONTINUATION, 'cd'),
    closeFrame(1001, 'bye', true),
  ]);
  for (const size of [1, 3, bytes.length]) {
    const { pieces } = readAll(bytes, size);
    expect(pieces.map(show)).toEqual(['control 9 1', 'text 4', 'control 8 5']);
    expect(pieces[1]!.payload.toString()).toBe('abcd');
  }
});

test('it stops behind each piece, so that what follows can go another way', () => {
  const bytes = Buffer.concat([frame(TEXT, 'ab'), frame(TEXT, 'cd')]);
  const reader = new MessageReader({ maxBytes: 10, isDeflated: false });
  expect(reader.read(bytes, 0)).toBe(4);
  expect(reader.read(bytes, 4)).toBe(4);
  reader.take();
  expect(reader.read(bytes, 4)).toBe(8);
});

describe('deflated without a context that spans messages', () => {
  const deflate = (text: string) => deflateRawSync(text, { finishFlush: 2 }).subarray(0, -4);

  test('in one frame, in fragments, and empty', () => {
    const packed = deflate('hello hello hello');
    const bytes = Buffer.concat([
      frame(TEXT | RSV1, packed),
      frame(BINARY | RSV1, packed.subarray(0, 3), { fin: false, mask: true }),
      frame(CONTINUATION, packed.subarray(3), { mask: true }),
      frame(TEXT | RSV1, Buffer.from([0])),
      frame(TEXT, 'plain'),
    ]);
    for (const size of [1, bytes.length]) {
      const { pieces } = readAll(bytes, size, { isDeflated: true });
      expect(pieces.map(show)).toEqual(['text 17', 'bytes 17', 'text 0', 'text 5']);
    }
  });

  test('one that grows over the limit is not inflated any further', () => {
    const bytes = frame(TEXT | RSV1, deflate('x'.repeat(100_000)));
    expect(readAll(bytes, bytes.length, { isDeflated: true, maxBytes: 50_000 }).reader.failure).toBe('tooLarge');
  });

  test('what cannot be inflated ends it', () => {
    expect(readAll(frame(TEXT | RSV1, 'hello'), 100, { isDeflated: true }).reader.failure).toBe('malformed');
  });
});

test.each([
  ['a compressed message where none was agreed', frame(TEXT | RSV1, 'a')],
  ['other reserved bits', frame(TEXT | 0x20, 'a')],
  ['a message inside of another', Buffer.concat([frame(TEXT, 'a', { fin: false }), frame(TEXT, 'b')])],
  ['the rest of nothing', frame(CONTINUATION, 'a')],
  ['an opcode that is reserved', frame(0x3, 'a')],
  ['a control frame in fragments', frame(PING, 'a', { fin: false })],
  ['a long control frame', frame(PING, 'a'.repeat(126))],
])('%s is malformed, and nothing is read behind it', (_, bytes) => {
  const { reader, pieces } = readAll(Buffer.concat([bytes, frame(TEXT, 'z')]), 1);
  expect(reader.failure).toBe('malformed');
  expect(pieces.filter((piece) => piece.payload.toString() === 'z')).toEqual([]);
});

test.each([
  ['in one frame', frame(TEXT, 'a'.repeat(101))],
  ['in fragments', Buffer.concat([frame(TEXT, 'a'.repeat(60), { fin: false }), frame(CONTINUATION, 'a'.repeat(60))])],
  ['with a length that no memory has', Buffer.from([0x81, 127, 255, 255, 255, 255, 255, 255, 255, 255])],
])('a message over the limit %s is not kept', (_, bytes) => {
  const { reader } = readAll(bytes, 1, { maxBytes: 100 });
  expect(reader).toMatchObject({ failure: 'tooLarge', heldBytes: 0 });
});

test('reads what ws writes, compressed and not', async () => {
  const server = new WebSocketServer({
    port: 0,
    host: '127.0.0.1',
    perMessageDeflate: { threshold: 1_000, clientNoContextTakeover: true },
  });
  later(() => server.close());
  await once(server, 'listening');
  const client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`, {
    perMessageDeflate: { clientNoContextTakeover: true, threshold: 1_000 },
  });
  later(() => client.terminate());
  const chunks: Buffer[] = [];
  // Before ws, which takes the mask off in place.
  server.on('connection', (_, request) => {
    request.socket.prependListener('data', (chunk: Buffer) => chunks.push(Buffer.from(chunk)));
  });
  await once(client, 'open');
  const sent = [0, 5, 300, 5_000, 70_000].map((length) => Buffer.alloc(length, 'abc'));
  for (const payload of [...sent, ...sent]) client.send(payload);
  client.send('ö'.repeat(3_000));
  client.close();
  await once(client, 'close');
  const { pieces } = readAll(Buffer.concat(chunks), 1_000, { isDeflated: true });
  expect(pieces.map(show)).toEqual([
    ...[...sent, ...sent].map(({ length }) => `bytes ${length}`),
    'text 6000',
    'control 8 0',
  ]);
  expect(sent.every((payload, index) => payload.equals(pieces[index]!.payload))).toBe(true);
});
