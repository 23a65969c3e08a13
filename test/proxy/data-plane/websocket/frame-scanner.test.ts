import { FrameScanner, Stop, TappedScanner, closeFrame } from '../../../../proxy/data-plane/websocket/frame-scanner';
import { CONTINUATION, FrameOptions, PING, TEXT, frame as frameOf } from './support/peers';

/** With a payload that looks like Close frames, for a scanner that loses its place. */
function frame(opcode: number, length: number, options: FrameOptions = {}): Buffer {
  return frameOf(opcode, Buffer.alloc(length, 0x88), options);
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

/** The places where no message is under way, found byte by byte. */
function findBoundaries(bytes: Buffer): number[] {
  const scanner = new FrameScanner();
  return [...bytes.keys()].filter((at) => {
    scanner.scan(bytes.subarray(at, at + 1));
    return scanner.atMessageBoundary;
  });
}

test('a message ends where its last fragment does, control frames between them or not', () => {
  const parts = [
    frame(TEXT, 3, { mask: true }),
    frame(TEXT, 200, { fin: false }),
    frame(PING, 2),
    frame(CONTINUATION, 70_000, { mask: true }),
    frame(TEXT, 0),
    closeFrame(1000, 'bye', true),
  ];
  const ends = parts.map((_, index) => Buffer.concat(parts.slice(0, index + 1)).length - 1);
  expect(findBoundaries(Buffer.concat(parts))).toEqual([ends[0], ends[3], ends[4], ends[5]]);
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

test('stops between two frames of one message', () => {
  const first = frame(TEXT, 5, { fin: false });
  const scanner = new FrameScanner();
  scanner.scan(first.subarray(0, 1));
  const rest = Buffer.concat([first.subarray(1), frame(PING, 0)]);
  expect(scanner.scan(rest, 'atFrameBoundary')).toBe(first.length - 1);
  expect(scanner).toMatchObject({ atFrameBoundary: true, atMessageBoundary: false });
  expect(scanner.scan(frame(PING, 0), 'atFrameBoundary')).toBe(0);
});

test('stops before a Close frame, at its first byte', () => {
  const responses = Buffer.concat([frame(TEXT, 130), frame(PING, 1), frame(TEXT, 4)]);
  const bytes = Buffer.concat([responses, closeFrame(1001, '', false)]);
  const scanner = new FrameScanner();
  expect(scanner.scan(bytes, 'beforeClose')).toBe(responses.length);
  expect(scanner.sawClose).toBe(false);
  expect(scanner.scan(bytes.subarray(responses.length))).toBe(4);
  expect(scanner.sawClose).toBe(true);
});

test.each([
  ['the highest bit', [0x80, 0, 0, 0, 0, 0, 0, 0]],
  ['more than a number holds', [0x00, 0x20, 0, 0, 0, 0, 0, 1]],
  ['all bits', [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]],
])('a length with %s is a payload that does not end', (_, length) => {
  const header = Buffer.from([0x82, 0x7f, ...length]);
  for (const split of [0, 1, 5, header.length]) {
    const scanner = new FrameScanner();
    scanner.scan(header.subarray(0, split));
    scanner.scan(header.subarray(split));
    for (let round = 0; round < 3; round += 1) scanner.scan(closeFrame(1000, '', true), 'atFrameBoundary');
    expect(scanner).toMatchObject({ atFrameBoundary: false, sawClose: false, left: 2 ** 53 - 24 });
  }
});

/** A small generator of its own, so that a failing seed can be tried again. */
function random(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function randomFrames(next: (below: number) => number): Buffer {
  const lengths = [0, 1, 2, 125, 126, 127, 300];
  const parts = Array.from({ length: 1 + next(8) }, () =>
    frame([CONTINUATION, TEXT, PING, 0x8, 0xa][next(5)]!, lengths[next(lengths.length)]!, {
      fin: next(3) > 0,
      mask: next(2) === 0,
    }),
  );
  const bytes = Buffer.concat(parts);
  return bytes.subarray(0, bytes.length - next(3));
}

/** Everything that can be seen of a scan: each stop once, and the state at the end. */
function followed(bytes: Buffer, cut: number, stop: Stop): unknown {
  const scanner = new FrameScanner();
  const stops: number[] = [];
  let at = 0;
  for (const end of [cut, bytes.length]) {
    while (at < end) {
      at += scanner.scan(bytes.subarray(at, end), stop);
      if (at === end) break;
      stops.push(at);
      at += scanner.scan(bytes.subarray(at, at + 1));
    }
  }
  const { atFrameBoundary, atMessageBoundary, sawClose } = scanner;
  return { stops: stops.filter((stop) => stop !== cut), atFrameBoundary, atMessageBoundary, sawClose };
}

test('however the bytes are split, the same is found', () => {
  for (let seed = 1; seed <= 40; seed += 1) {
    const bytes = randomFrames(random(seed));
    for (const stop of ['never', 'beforeClose', 'atMessageBoundary', 'atFrameBoundary'] as const) {
      const whole = followed(bytes, bytes.length, stop) as { stops: number[] };
      for (let cut = 0; cut <= bytes.length; cut += 1) {
        const expected = { ...whole, stops: whole.stops.filter((at) => at !== cut) };
        expect({ seed, stop, cut, ...(followed(bytes, cut, stop) as object) }).toEqual({
          seed,
          stop,
          cut,
          ...expected,
        });
      }
    }
  }
});

test('a Close frame carries code and reason, and is masked for a server', () => {
  expect(closeFrame(1012, 'x', false).toString('hex')).toBe('880303f478');
  const masked = closeFrame(1001, '', true);
  expect(masked.subarray(0, 2).toString('hex')).toBe('8882');
  expect([masked[6]! ^ masked[2]!, masked[7]! ^ masked[3]!]).toEqual([0x03, 0xe9]);
});

test('no two masks are alike', () => {
  const masks = new Set(Array.from({ length: 8 }, () => closeFrame(1001, '', true).toString('hex', 2, 6)));
  expect(masks.size).toBeGreaterThan(1);
});

test('what goes nowhere is followed, and no one is notified of it', () => {
  const passed: string[] = [];
  const scanner = new TappedScanner((bytes) => passed.push(bytes.toString('latin1')));
  scanner.scan(closeFrame(1000, 'a', false).subarray(0, 2));
  scanner.scanDropped(closeFrame(1000, 'a', false).subarray(2));
  expect([scanner.sawClose, passed]).toEqual([true, ['\x88\x03']]);
});
