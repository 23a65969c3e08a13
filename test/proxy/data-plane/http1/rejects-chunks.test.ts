import { stopAll } from '../../support/world';
import { each, expectUploadRejected, head } from './support/rejections';

afterEach(stopAll);

const POST = head('POST / HTTP/1.1', 'Host: a', 'Transfer-Encoding: chunked');
const first = (line: string) => `${POST}${line}\r\nhello\r\n0\r\n\r\n`;
const second = (line: string) => `${POST}3\r\nabc\r\n${line}\r\nhello\r\n0\r\n\r\n`;

const SIZES: Record<string, string> = {
  'hex with 0x': '0x5',
  'a plus sign': '+5',
  'a minus sign': '-5',
  'a space before it': ' 5',
  'a space behind it': '5 ',
  'a TAB behind it': '5\t',
  nothing: '',
  'nothing, with an extension': ';a=b',
  'an underscore': '1_0',
  'a letter beyond f': '5g',
  'a comma': '5,5',
  'a dot': '5.0',
  'a quote': '"5"',
  'h behind it': '5h',
  'a byte over 127': '5\xe9',
  'a NUL': '5\0',
  'one more than 2^53': '20000000000001',
  '2^64 and 5': '10000000000000005',
  'thirty digits': 'f'.repeat(30),
};

test.each(each(400, mapped(SIZES, first)))('the size of the first chunk: %s', (_, bytes, status) =>
  expectUploadRejected(bytes, status),
);

test.each(each(400, mapped(SIZES, second)))('the size of a later chunk: %s', (_, bytes, status) =>
  expectUploadRejected(bytes, status),
);

test.each(
  each(400, {
    'a bare LF behind the size': `${POST}5\nhello\r\n0\r\n\r\n`,
    'a bare CR behind the size': `${POST}5\rhello\r\n0\r\n\r\n`,
    'CR CR LF behind the size': `${POST}5\r\r\nhello\r\n0\r\n\r\n`,
    'nothing behind the data': `${POST}5\r\nhello0\r\n\r\n`,
    'a bare LF behind the data': `${POST}5\r\nhello\n0\r\n\r\n`,
    'a bare CR behind the data': `${POST}5\r\nhello\r0\r\n\r\n`,
    'LF CR behind the data': `${POST}5\r\nhello\n\r0\r\n\r\n`,
    'data longer than its size': `${POST}5\r\nhello!\r\n0\r\n\r\n`,
    'data shorter than its size': `${POST}6\r\nhello\r\n0\r\n\r\n`,
    'an empty line more behind the data': `${POST}5\r\nhello\r\n\r\n0\r\n\r\n`,
    'a bare LF behind the last size': `${POST}5\r\nhello\r\n0\n\r\n`,
    'a bare LF as the last line': `${POST}5\r\nhello\r\n0\r\n\n`,
    'a bare CR as the last line': `${POST}5\r\nhello\r\n0\r\n\rX: a\r\n\r\n`,
    'a signed last chunk': `${POST}5\r\nhello\r\n-0\r\n\r\n`,
    'a last chunk with 0x': `${POST}5\r\nhello\r\n0x0\r\n\r\n`,
  }),
)('the line end: %s', (_, bytes, status) => expectUploadRejected(bytes, status));

test.each(
  each(400, {
    'no name': first('5;'),
    'no name before a value': first('5;=b'),
    'no value': first('5;a='),
    'a name of two words': first('5;a b'),
    'a value that is no token': first('5;a=b:c'),
    'quotes without an end': first('5;a="b'),
    'a token behind quotes': first('5;a="b"c'),
    'nothing between semicolons': first('5;;a=b'),
    'a bare LF': first('5;a=b\nc'),
    'a bare LF in quotes': first('5;a="b\nc"'),
    'a bare CR': first('5;a=b\rc'),
    'a bare CR in quotes': first('5;a="b\rc"'),
    'a bare LF as its end': `${POST}5;a=b\nhello\r\n0\r\n\r\n`,
    'a bare LF as its end, that hides a request': `${POST}2;\nxx\r\n4c\r\n0\r\n\r\nGET /hidden HTTP/1.1\r\nHost: a\r\n\r\n`,
    'a NUL': first('5;a=\0'),
    'a control byte': first('5;a=\x01'),
    'a control byte in quotes': first('5;a="\x01"'),
    'a DEL': first('5;a=\x7f'),
    'a control byte on the last chunk': `${POST}5\r\nhello\r\n0;a=\x01\r\n\r\n`,
    'a length of 100 KiB': first(`5;a=${'b'.repeat(100 * 1024)}`),
    'a length of 100 KiB in many': first(`5${';a=b'.repeat(25 * 1024)}`),
    'a length of 100 KiB without an end': `${POST}5;a=${'b'.repeat(100 * 1024)}`,
  }),
)('the extension: %s', (_, bytes, status) => expectUploadRejected(bytes, status));

function mapped(sizes: Record<string, string>, bytes: (size: string) => string): Record<string, string> {
  return Object.fromEntries(Object.entries(sizes).map(([name, size]) => [name, bytes(size)]));
}
