import { EventScanner } from '../../../../proxy/data-plane/streams/event-scanner';

test.each([
  ['LF', 'data: 1\n\ndata: 2\n', 9],
  ['CR', 'data: 1\r\rdata: 2\r', 9],
  ['CR LF', 'data: 1\r\ndata: x\r\n\r\ndata: 2', 20],
])('an event ends with a blank line: %s', (_, text, end) => {
  const bytes = Buffer.from(text);
  for (let split = 1; split < end - 1; split += 1) {
    const scanner = new EventScanner();
    scanner.scan(bytes.subarray(0, split), false);
    expect(scanner.atBoundary).toBe(false);
    expect(scanner.scan(bytes.subarray(split), true)).toBe(end - split);
    expect(scanner.atBoundary).toBe(true);
  }
});

test('nothing sent yet is a place to end, the middle of an event is none', () => {
  const scanner = new EventScanner();
  expect(scanner.atBoundary).toBe(true);
  scanner.scan(Buffer.from('data: 1\n'), false);
  expect(scanner.atBoundary).toBe(false);
});

test('a comment belongs to no event: between two it is a place to end, in the middle of one it is not', () => {
  const scanner = new EventScanner();
  const at = (text: string) => {
    scanner.scan(Buffer.from(text), false);
    return scanner.atBoundary;
  };
  expect([at(':'), at(' a'), at('\n'), at(':\r\n'), at('data: 1\n'), at(': b\n'), at('\n')]).toEqual([
    ...[false, false, true, true],
    ...[false, false, true],
  ]);
});

/** Each as https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation has it. */
const IDS: readonly (readonly [rule: string, stream: string, id: string | undefined])[] = [
  ['of a whole event', 'id: 1\ndata: x\n\n', '1'],
  ['not of one that is not whole', 'id: 1\ndata: x\n\nid: 2\ndata: y\n', '1'],
  ['of the last line of several', 'id: 1\nid: 2\ndata: x\n\n', '2'],
  ['of an event without data', 'id: 1\n\n', '1'],
  ['kept by events that have none', 'id: 1\ndata: x\n\ndata: y\n\n: z\n\n', '1'],
  ['without the space behind its colon', 'id:1\ndata: x\n\n', '1'],
  ['with every other space', 'id:  1 \ndata: x\n\n', ' 1 '],
  ['with colons', 'id: a:b\n\n', 'a:b'],
  ['with lines that end with CR', 'id: 1\rdata: x\r\r', '1'],
  ['with lines that end with CR LF', 'id: 1\r\ndata: x\r\n\r\n', '1'],
  ['with lines that end in all ways', 'id: 1\rdata: x\r\n\n', '1'],
  ['taken back by an empty one', 'id: 1\n\nid:\ndata: x\n\n', ''],
  ['taken back by a line without a colon', 'id: 1\n\nid\ndata: x\n\n', ''],
  ['not taken back by one with a NUL', 'id: 1\n\nid: 2\0\ndata: x\n\n', '1'],
  ['not that of a longer name', 'idx: 1\nid2\nid : 3\n id: 4\n\n', undefined],
  ['not that of another case', 'ID: 1\nId: 2\n\n', undefined],
  ['not that of a comment', ':id: 1\n\n', undefined],
  ['not that of data', 'data: id: 1\n\n', undefined],
  ['behind a byte order mark', '\u00ef\u00bb\u00bfid: 1\n\n', '1'],
  ['not behind a second one', '\u00ef\u00bb\u00bf\u00ef\u00bb\u00bfid: 1\n\n', undefined],
  ['not behind a part of one', '\u00ef\u00bbid: 1\n\n', undefined],
  ['not behind one in the middle', ':\n\u00ef\u00bb\u00bfid: 1\n\n', undefined],
  ['as bytes, whatever they mean', 'id: \u00c3\u00a9\n\n', '\u00c3\u00a9'],
  ['taken back by one that no field can carry', `id: 1\n\nid: ${'x'.repeat(5_000)}\n\n`, ''],
];

test.each(IDS)('the last id is %s, wherever the reads are split', (_, stream, id) => {
  const bytes = Buffer.from(stream, 'latin1');
  const step = bytes.length > 1_000 ? 97 : 1;
  for (let first = 0; first <= bytes.length; first += step) {
    for (let second = first; second <= bytes.length; second += step) {
      const scanner = new EventScanner();
      for (const piece of [bytes.subarray(0, first), bytes.subarray(first, second), bytes.subarray(second)])
        scanner.scan(piece, false);
      expect(scanner.id).toBe(id);
    }
  }
});

test('events in a row with the same id are counted', () => {
  const scanner = new EventScanner();
  scanner.scan(Buffer.from('id: 1\ndata: a\n\nid: 1\ndata: b\n\ndata: c\n\n'), false);
  expect(scanner.sameIds).toBe(2);
  scanner.scan(Buffer.from('id: 2\ndata: a\n\n'), false);
  expect(scanner.sameIds).toBe(1);
});

test('an event before the first id is noticed, a comment is none', () => {
  const scanner = new EventScanner();
  scanner.scan(Buffer.from(': hello\n\nretry: 100\n\n'), false);
  expect(scanner.hadEventWithoutId).toBe(false);
  scanner.scan(Buffer.from('data: a\n\n'), false);
  expect(scanner.hadEventWithoutId).toBe(true);
});
