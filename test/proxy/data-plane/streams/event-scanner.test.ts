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
