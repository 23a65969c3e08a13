import { stopAll } from '../../support/world';
import { each, expectRejected, head } from './support/rejections';

afterEach(stopAll);

const LINE = 'GET / HTTP/1.1';
const withField = (...lines: string[]) => head(LINE, 'Host: a', ...lines, 'X-Last: 1');

test.each(
  each(400, {
    'a bare LF behind the request line': 'GET / HTTP/1.1\nHost: a\r\n\r\n',
    'a bare LF behind a field': 'GET / HTTP/1.1\r\nHost: a\nX: 1\r\n\r\n',
    'a bare LF behind the last field': 'GET / HTTP/1.1\r\nHost: a\n\r\n\r\n',
    'a bare LF as the empty line': 'GET / HTTP/1.1\r\nHost: a\r\n\n',
    'bare LFs throughout': 'GET / HTTP/1.1\nHost: a\n\n',
    'a bare LF as an empty line before the request': '\nGET / HTTP/1.1\r\nHost: a\r\n\r\n',
    'LF CR': 'GET / HTTP/1.1\r\nHost: a\n\rX: 1\r\n\r\n',
    'a bare LF that hides a field': withField('X: 1\nTransfer-Encoding: chunked'),
    'a bare CR as line end': withField('X: 1\rY: 2'),
    'a bare CR in a value': withField('X: a\rb'),
    'a bare CR before CR LF': withField('X: a\r'),
    'a bare CR in a name': withField('X\rY: a'),
    'a bare CR before a name': withField('\rX: a'),
    'a bare CR before the request': `\r${withField('X: a')}`,
    'a bare CR as the empty line': 'GET / HTTP/1.1\r\nHost: a\r\n\rX: 1\r\n\r\n',
  }),
)('the line end: %s', (_, bytes, status) => expectRejected(bytes, status));

test.each(
  each(400, {
    'obs-fold with a space': withField('X: a', ' b'),
    'obs-fold with a TAB': withField('X: a', '\tb'),
    'obs-fold of nothing': withField('X: a', ' '),
    'obs-fold that hides a framing': head('POST / HTTP/1.1', 'Host: a', 'X: a', ' Content-Length: 5'),
    'obs-fold within a framing': head('POST / HTTP/1.1', 'Host: a', 'Transfer-Encoding:', ' chunked'),
    'a fold of the request line': head(LINE, ' Host: a', 'Host: a'),
  }),
)('folding: %s', (_, bytes, status) => expectRejected(bytes, status));

test.each(
  each(400, {
    'a space before the colon': withField('X : a'),
    'a TAB before the colon': withField('X\t: a'),
    'a space before the colon of Content-Length': head('POST / HTTP/1.1', 'Host: a', 'Content-Length : 0'),
    'a space before the colon of Transfer-Encoding': head('POST / HTTP/1.1', 'Host: a', 'Transfer-Encoding : chunked'),
    'a space before the colon of Host': head(LINE, 'Host : a'),
    'a space within': withField('X Y: a'),
    'nothing before the colon': withField(': a'),
    'a colon alone': withField(':'),
    'a line without a colon': withField('X'),
    'a bracket': withField('X(Y): a'),
    'a slash': withField('X/Y: a'),
    'an at sign': withField('X@Y: a'),
    'a quote': withField('"X": a'),
    'a NUL': withField('X\0Y: a'),
    'a control byte': withField('X\x01Y: a'),
    'a vertical TAB': withField('X\x0b: a'),
    'a DEL': withField('X\x7fY: a'),
    'a byte over 127': withField('X\xe9: a'),
    'a no-break space before a framing': withField('\xa0Transfer-Encoding: chunked'),
  }),
)('the name: %s', (_, bytes, status) => expectRejected(bytes, status));

const CONTROLS = Array.from({ length: 32 }, (_, code) => code).filter((code) => ![0x09, 0x0a, 0x0d].includes(code));

test.each([...CONTROLS, 0x7f].map((code) => [code.toString(16).padStart(2, '0'), String.fromCharCode(code)]))(
  'the value: a byte %s',
  async (_, byte) => {
    await expectRejected(withField(`X: a${byte}b`), 400);
  },
);

test.each(
  each(400, {
    'a NUL at its start': withField('X: \0a'),
    'a NUL at its end': withField('X: a\0'),
    'a NUL alone': withField('X: \0'),
    'a form feed behind chunked': head('POST / HTTP/1.1', 'Host: a', 'Transfer-Encoding: chunked\x0c'),
    'a vertical TAB before chunked': head('POST / HTTP/1.1', 'Host: a', 'Transfer-Encoding: \x0bchunked'),
  }),
)('the value: %s', (_, bytes, status) => expectRejected(bytes, status));
