import { CatchUp } from '../../../../proxy/data-plane/streams/catch-up';

/** What goes on of a stream that comes in pieces of this size. */
function pass(stream: string, size: number, sameIds = 1): string {
  const catchUp = new CatchUp('5', sameIds);
  const bytes = Buffer.from(stream, 'latin1');
  let passed = '';
  for (let at = 0; at < bytes.length; at += size) {
    const piece = bytes.subarray(at, at + size);
    passed += (catchUp.isOver ? piece : catchUp.take(piece)).toString('latin1');
  }
  return passed;
}

const CASES: readonly (readonly [what: string, stream: string, passed: string])[] = [
  ['the next event passes', 'id: 6\ndata: a\n\n', 'id: 6\ndata: a\n\n'],
  ['the last event does not', 'id: 5\ndata: a\n\nid: 6\ndata: b\n\n', 'id: 6\ndata: b\n\n'],
  ['nor with its id at its end', 'data: a\nid: 5\n\nid: 6\ndata: b\n\n', 'id: 6\ndata: b\n\n'],
  ['but a second one with its id', 'id: 5\ndata: a\n\nid: 5\ndata: b\n\n', 'id: 5\ndata: b\n\n'],
  ['and a later one with its id', 'id: 6\ndata: a\n\nid: 5\ndata: b\n\n', 'id: 6\ndata: a\n\nid: 5\ndata: b\n\n'],
  [
    'what has no id passes, and says nothing',
    ': hello\n\nevent: x\ndata: y\n\nid: 5\ndata: a\n\nid: 6\n\n',
    ': hello\n\nevent: x\ndata: y\n\nid: 6\n\n',
  ],
  ['a comment is not held back', 'id: 5\ndata: a\n\n:\n: b\nid: 5', ':\n: b\n'],
  ['the time to retry stays', 'retry: 10\nid: 5\ndata: retry: 7\n\nid: 6\n\n', 'retry: 10\n\nid: 6\n\n'],
  ['a byte order mark goes', '\u00ef\u00bb\u00bfid: 6\ndata: a\n\n', 'id: 6\ndata: a\n\n'],
  ['and what follows it is read', '\u00ef\u00bb\u00bfid: 5\ndata: a\n\nid: 6\n\n', 'id: 6\n\n'],
  ['an event that is not whole waits', 'id: 5\n\nid: 6\ndata: a\n', ''],
];

test.each(CASES)('of a stream that goes on, %s', (_, stream, passed) => {
  for (let size = 1; size <= stream.length; size += 1) expect(pass(stream, size)).toBe(passed);
});

test('lines may end with CR, and with CR LF', () => {
  for (let size = 1; size < 40; size += 1) {
    expect(pass('id: 5\rdata: a\r\rid: 6\rdata: b\r\r', size)).toBe('id: 6\rdata: b\r\r');
    // A reader takes the second half of a blank line for another blank line, which says nothing.
    expect(pass('id: 5\r\ndata: a\r\n\r\nid: 6\r\n\r\n', size).replace(/^\n/, '')).toBe('id: 6\r\n\r\n');
  }
});

test('as many events with the last id are dropped as the client has', () => {
  expect(pass('id: 5\ndata: a\n\nid: 5\ndata: b\n\nid: 5\ndata: c\n\n', 7, 2)).toBe('id: 5\ndata: c\n\n');
});

test('an event that is too long to be looked at passes', () => {
  const event = `data: ${'x'.repeat(400_000)}\nid: 5\n\n`;
  expect(pass(event, 65_536)).toBe(event);
});
