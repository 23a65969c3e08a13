import { FrameScanner, closeFrame } from '../../proxy/data-plane/frame-scanner';

interface FrameOptions {
  readonly fin?: boolean;
  readonly mask?: boolean;
}

const TEXT = 0x1;
const CONTINUATION = 0x0;
const PING = 0x9;

function frame(opcode: number, length: number, { fin = true, mask = false }: FrameOptions = {}): Buffer {
  const second = mask ? 0x80 : 0;
  const header = [(fin ? 0x80 : 0) | opcode];
  if (length < 126) header.push(second | length);
  else if (length < 65_536) header.push(second | 126, length >> 8, length & 0xff);
  else header.push(second | 127, 0, 0, 0, 0, 0, (length >> 16) & 0xff, (length >> 8) & 0xff, length & 0xff);
  if (mask) header.push(1, 2, 3, 4);
  // A payload that looks like Close frames, for a scanner that loses its place.
  return Buffer.concat([Buffer.from(header), Buffer.alloc(length, 0x88)]);
}

test.each([0, 1, 125, 126, 65_535, 65_536])(
  'a message of %i bytes ends where its last byte is, masked or not',
  (length) => {
    for (const mask of [false, true]) {
      const bytes = frame(TEXT, length, { mask });
      const scanner = new FrameScanner();
      expect(scanner.scan(bytes.subarray(0, -1))).toBe(bytes.length - 1);
      expect(scanner.atMessageBoundary).toBe(false);
      scanner.scan(bytes.subarray(-1));
      expect(scanner.atMessageBoundary).toBe(true);
      expect(scanner.sawClose).toBe(false);
    }
  },
);

test('the same places are found however the bytes are split', () => {
  const parts = [
    frame(TEXT, 3, { mask: true }),
    frame(TEXT, 200, { fin: false }),
    frame(PING, 2),
    frame(CONTINUATION, 70_000, { mask: true }),
    frame(TEXT, 0),
    closeFrame(1000, 'bye', true),
  ];
  const bytes = Buffer.concat(parts);
  const boundaries = (size: number) => {
    const scanner = new FrameScanner();
    const found: number[] = [];
    let at = 0;
    while (at < bytes.length) {
      const chunk = bytes.subarray(at, Math.min(at + size, bytes.length));
      for (let offset = 0; offset < chunk.length; offset += 1) {
        scanner.scan(chunk.subarray(offset, offset + 1));
        if (scanner.atMessageBoundary) found.push(at + offset + 1);
      }
      at += size;
    }
    return found;
  };
  const lengths = parts.map((part) => part.length);
  const ends = lengths.map((_, index) => lengths.slice(0, index + 1).reduce((sum, length) => sum + length, 0));
  expect(boundaries(1)).toEqual([ends[0], ends[3], ends[4], ends[5]]);
  for (const size of [2, 7, 1000]) {
    const scanner = new FrameScanner();
    for (let at = 0; at < bytes.length; at += size) scanner.scan(bytes.subarray(at, at + size));
    expect(scanner).toMatchObject({ sawClose: true, atMessageBoundary: true });
  }
});

test('stops between two messages and not between two frames of one', () => {
  const first = Buffer.concat([frame(TEXT, 5, { fin: false }), frame(PING, 0), frame(CONTINUATION, 5)]);
  const bytes = Buffer.concat([first, frame(TEXT, 5)]);
  const scanner = new FrameScanner();
  scanner.scan(bytes.subarray(0, 3));
  expect(scanner.scan(bytes.subarray(3), 'atMessageBoundary')).toBe(first.length - 3);
  expect(scanner.atMessageBoundary).toBe(true);
  expect(scanner.scan(bytes.subarray(first.length), 'atMessageBoundary')).toBe(0);
});

test('stops before a Close frame, at its first byte', () => {
  const answers = Buffer.concat([frame(TEXT, 130), frame(PING, 1), frame(TEXT, 4)]);
  const bytes = Buffer.concat([answers, closeFrame(1001, '', false)]);
  const scanner = new FrameScanner();
  expect(scanner.scan(bytes, 'beforeClose')).toBe(answers.length);
  expect(scanner.sawClose).toBe(false);
  expect(scanner.scan(bytes.subarray(answers.length))).toBe(4);
  expect(scanner.sawClose).toBe(true);
});

test('a Close frame carries code and reason, and is masked for a server', () => {
  expect(closeFrame(1012, 'x', false).toString('hex')).toBe('880303f478');
  expect(closeFrame(1001, '', true).toString('hex')).toBe('88820000000003e9');
});
