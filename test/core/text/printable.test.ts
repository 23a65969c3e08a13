import { printable, printableLine } from '../../../core/text/printable';

test.each([
  ['what can be seen stays', 'é😀 "x" \\', 'é😀 "x" \\'],
  ['an escape', 'a\u001b[31mb', 'a\\x1b[31mb'],
  ['a line feed and a tab', 'a\n\tb', 'a\\x0a\\x09b'],
  ['the ends of the ranges', '\u0000\u001f \u007f\u009f\u00a0', '\\x00\\x1f \\x7f\\x9f\u00a0'],
  [
    'marks that turn text',
    '\u2028\u2029\u200e\u200f\u202a\u202e\u2066\u2069',
    '\\u2028\\u2029\\u200e\\u200f\\u202a\\u202e\\u2066\\u2069',
  ],
  ['their neighbours', '\u200d\u2027\u202f\u2065', '\u200d\u2027\u202f\u2065'],
])('one line: %s', (_, text, shown) => {
  expect(printableLine(text)).toBe(shown);
});

test('several lines stay several', () => {
  expect(printable('a\rb\n\u001bc\n')).toBe('a\\x0db\n\\x1bc\n');
});
