import { decodeText } from '../../../core/text/decode';

const TEXT = 'pollSeconds: 15 # é → 😀\n';
const utf16 = (text: string) => Buffer.from(text, 'utf16le');

test.each([
  ['UTF-8', Buffer.from(TEXT)],
  ['UTF-8 with its mark', Buffer.from(`\ufeff${TEXT}`)],
  ['UTF-16 with its mark, little-endian', utf16(`\ufeff${TEXT}`)],
  ['UTF-16 with its mark, big-endian', utf16(`\ufeff${TEXT}`).swap16()],
])('%s is read, without the mark', (_, bytes) => {
  expect(decodeText(bytes)).toBe(TEXT);
});

test('nothing is an empty text', () => {
  expect(decodeText(Buffer.alloc(0))).toBe('');
});

test.each([
  ['UTF-16 without its mark', utf16(TEXT), 'zero bytes'],
  ['UTF-32', Buffer.from([0xff, 0xfe, 0, 0, 0x61, 0, 0, 0]), 'UTF-32'],
  ['UTF-32, big-endian', Buffer.from([0, 0, 0xfe, 0xff, 0, 0, 0, 0x61]), 'UTF-32'],
  ['Latin-1', Buffer.from('# é\n', 'latin1'), 'bytes that are not UTF-8'],
  ['UTF-16 of an odd length', utf16(`\ufeff${TEXT}`).subarray(0, -1), 'UTF-16 that breaks off'],
  ['half a pair', utf16('\ufeff\ud83d'), 'UTF-16 that breaks off'],
])('%s is rejected by name', (_, bytes, got) => {
  expect(decodeText(bytes)).toEqual({ problem: `UTF-8, or UTF-16 with a byte order mark, got ${got}` });
});
