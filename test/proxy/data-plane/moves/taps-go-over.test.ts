import { deflateRawSync } from 'node:zlib';
import type { Followed, Message, MoveAdapter } from '../../../../proxy/data-plane/moves/adapters/adapter';
import { encodeFrame } from '../../../../proxy/data-plane/moves/adapters/encode-frame';
import { TapFinder } from '../../../../proxy/data-plane/moves/find-tap';
import type { MoveTap } from '../../../../proxy/data-plane/moves/tap';

const [TEXT, BINARY, CONTINUATION, PING] = [1, 2, 0, 9] as const;
const faults: unknown[] = [];
beforeEach(() => void faults.splice(0));

/** Follows all messages, and keeps them. */
function createAdapter(name = 'all'): MoveAdapter & { readonly seen: () => readonly string[] } {
  let last: string[] = [];
  const follow = (seen: string[]): Followed => {
    last = seen;
    const note = (end: string) => (message: Message) => {
      seen.push(`${end} ${message.isText} ${message.payload.toString('latin1')}`);
    };
    return {
      fromClient: note('>'),
      fromBackend: note('<'),
      rejection: undefined,
      isSettled: true,
      pack: () => seen,
      replay: () => ({ url: '/', first: [], isJoined: true, fromBackend: () => ({}) }),
    };
  };
  return {
    name,
    recognizes: () => true,
    follow: () => follow([]),
    unpack: (state) => follow([...(state as string[])]),
    seen: () => last,
  };
}

const createFinder = (...adapters: MoveAdapter[]) =>
  new TapFinder({ adapters, timeoutMs: 1 }, (error) => faults.push(error));

function begin(finder: TapFinder, fields = ''): MoveTap {
  const head = { field: () => undefined } as unknown as Parameters<TapFinder['find']>[0]['head'];
  return finder.find({ head, url: '/ws', fields })!;
}

const masked = (opcode: number, text: string) => encodeFrame(opcode, Buffer.from(text), true);
const fragment = (frame: Buffer) => {
  frame[0]! &= 0x7f;
  return frame;
};

test('at any byte: frames, their headers, fragments with a ping between them, both directions', () => {
  const adapter = createAdapter();
  const finder = createFinder(adapter);
  const bytes = [
    ...[masked(TEXT, 'one'), fragment(masked(TEXT, 'tw')), masked(PING, 'p'), fragment(masked(CONTINUATION, 'o '))],
    ...[masked(CONTINUATION, 'and more'), masked(BINARY, 'x'.repeat(300)), masked(TEXT, '')],
  ];
  const other = encodeFrame(TEXT, Buffer.from('y'.repeat(70_000)), false);
  let tap = begin(finder);
  tap.fromUpstream(other.subarray(0, 40_000));
  for (const byte of Buffer.concat(bytes)) {
    tap.fromClient(Buffer.from([byte]));
    tap = finder.unpack(Buffer.from(tap.pack()!))!;
  }
  tap.fromUpstream(other.subarray(40_000));
  const said = [
    '> true one',
    '> true two and more',
    `> false ${'x'.repeat(300)}`,
    '> true ',
    `< true ${'y'.repeat(70_000)}`,
  ];
  expect(adapter.seen()).toEqual(said);
  expect(faults).toEqual([]);
});

test('with permessage-deflate', () => {
  const adapter = createAdapter();
  const finder = createFinder(adapter);
  const frame = encodeFrame(TEXT, deflateRawSync(Buffer.from('hello'), { finishFlush: 2 }).subarray(0, -4), false);
  frame[0]! |= 0x40;
  const tap = begin(finder, 'sec-websocket-extensions: permessage-deflate\r\n');
  tap.fromUpstream(frame.subarray(0, 3));
  finder.unpack(tap.pack()!)!.fromUpstream(frame.subarray(3));
  expect(adapter.seen()).toEqual(['< true hello']);
});

describe('does not go over', () => {
  const packed = (finder: TapFinder) => begin(finder).pack();

  test.each(['pack', 'unpack'] as const)('what an adapter without %s follows', (name) => {
    const { unpack, follow, ...adapter } = createAdapter();
    const without = (handshake: Parameters<typeof follow>[0]): Followed => ({ ...follow(handshake), pack: undefined });
    const made = { ...adapter, follow: name === 'pack' ? without : follow, ...(name === 'pack' && { unpack }) };
    expect(packed(createFinder(made as MoveAdapter))).toBeUndefined();
  });

  test('what has become too much to say', () => {
    const adapter = createAdapter();
    const large: MoveAdapter = {
      ...adapter,
      follow: (asked) => ({ ...adapter.follow(asked), pack: () => 'x'.repeat(2 ** 20) }),
    };
    expect(packed(createFinder(large))).toBeUndefined();
    expect(faults).toEqual([]);
  });

  test('what fails at it, which goes on here', () => {
    const adapter = createAdapter();
    const fails = () => {
      throw new Error('no state');
    };
    const tap = begin(createFinder({ ...adapter, follow: (asked) => ({ ...adapter.follow(asked), pack: fails }) }));
    expect([tap.pack(), tap.cannotResume, faults.length]).toEqual([undefined, true, 1]);
    tap.fromClient(masked(TEXT, 'on'));
  });

  test('to a process without its adapter', () => {
    expect(createFinder(createAdapter('another')).unpack(packed(createFinder(createAdapter()))!)).toBeUndefined();
    expect(faults).toEqual([]);
  });

  test('where the adapter says so there', () => {
    const adapter = { ...createAdapter(), unpack: () => undefined };
    const tap = createFinder(adapter).unpack(packed(createFinder(adapter))!)!;
    expect([tap.cannotResume, faults.length]).toEqual([true, 0]);
  });
});
