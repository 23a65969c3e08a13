import { hideCredentials } from '../../../core/text/credentials';

test.each([
  ['got "redis://:secret@h:6379"', 'got "redis://***@h:6379"'],
  ["got 'http://me:se@cret@h/x' and 'ws://a@b'", "got 'http://***@h/x' and 'ws://***@b'"],
  ['http://h/x?mail=me@example.com', 'http://***@example.com'],
  ['me@example.com of https://h/x', 'me@example.com of https://h/x'],
])('%s is shown as %s', (text, shown) => {
  expect(hideCredentials(text)).toBe(shown);
});
