import { stopAll } from '../../support/world';
import { each, expectRejected, head } from './support/rejections';

afterEach(stopAll);

const withLine = (line: string) => head(line, 'Host: a');

test.each(
  each(400, {
    'a method that is no token': withLine('GE(T / HTTP/1.1'),
    'a method with a colon': withLine('GET: / HTTP/1.1'),
    'a method with a control byte': withLine('GE\x01T / HTTP/1.1'),
    'a method with a byte over 127': withLine('GE\xe9T / HTTP/1.1'),
    'an empty method': withLine(' / HTTP/1.1'),
    'a space before the method': withLine(' GET / HTTP/1.1'),
  }),
)('the method: %s', (_, bytes, status) => expectRejected(bytes, status));

test.each(
  each(400, {
    'a NUL': withLine('GET /a\0b HTTP/1.1'),
    'a control byte': withLine('GET /a\x01b HTTP/1.1'),
    'a TAB': withLine('GET /a\tb HTTP/1.1'),
    'a DEL': withLine('GET /a\x7fb HTTP/1.1'),
    'a bare CR': withLine('GET /a\rb HTTP/1.1'),
    'a bare LF': withLine('GET /a\nb HTTP/1.1'),
    'a space': withLine('GET /a b HTTP/1.1'),
    'a fragment': withLine('GET /a#b HTTP/1.1'),
    'a fragment in absolute form': withLine('GET http://a/#b HTTP/1.1'),
    'a raw byte over 127': withLine('GET /caf\xe9 HTTP/1.1'),
    'raw UTF-8': withLine('GET /caf\xc3\xa9 HTTP/1.1'),
    'no target': withLine('GET HTTP/1.1'),
    'an empty target': withLine('GET  HTTP/1.1'),
    'two spaces before it': withLine('GET  / HTTP/1.1'),
    'two spaces behind it': withLine('GET /  HTTP/1.1'),
    'a TAB before it': withLine('GET\t/ HTTP/1.1'),
    'no slash at its start': withLine('GET a HTTP/1.1'),
    'an asterisk with GET': withLine('GET * HTTP/1.1'),
    'authority form with GET': withLine('GET a:80 HTTP/1.1'),
    'authority form with OPTIONS': withLine('OPTIONS a:80 HTTP/1.1'),
    'a scheme that is not HTTP': withLine('GET ftp://a/ HTTP/1.1'),
    'absolute form without an authority': withLine('GET http:///b HTTP/1.1'),
    'absolute form with user information': withLine('GET http://u@a/ HTTP/1.1'),
    'absolute form with a bad port': head('GET http://a:x/ HTTP/1.1', 'Host: a:x'),
  }),
)('the target: %s', (_, bytes, status) => expectRejected(bytes, status));

test.each([
  ...each(400, {
    'no version (HTTP/0.9)': 'GET /\r\n\r\n',
    'no version, with fields': withLine('GET /'),
    'lower case': withLine('GET / http/1.1'),
    'a space behind it': withLine('GET / HTTP/1.1 '),
    'two digits in the minor version': withLine('GET / HTTP/1.10'),
    'two digits in the major version': withLine('GET / HTTP/01.1'),
    'no minor version': withLine('GET / HTTP/1'),
    'an empty minor version': withLine('GET / HTTP/1.'),
    'no dot': withLine('GET / HTTP/11'),
    'a letter behind it': withLine('GET / HTTP/1.1x'),
    'a space within': withLine('GET / HTTP/ 1.1'),
    'another protocol': withLine('GET / HTTPS/1.1'),
    'no number': withLine('GET / HTTP/x.y'),
  }),
  ...each(505, {
    'HTTP/2.0': withLine('GET / HTTP/2.0'),
    'HTTP/3.0': withLine('GET / HTTP/3.0'),
    'HTTP/0.9': withLine('GET / HTTP/0.9'),
    'HTTP/9.9': withLine('GET / HTTP/9.9'),
  }),
])('the version: %s', (_, bytes, status) => expectRejected(bytes, status));

test.each([
  ...each(400, {
    'no HTTP at all': 'NONSENSE\r\n\r\n',
    'bytes of TLS': '\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03\r\n\r\n',
    'a hundred empty lines before it': '\r\n'.repeat(100) + withLine('GET / HTTP/1.1'),
  }),
  ...each([400, 405, 501], {
    'CONNECT in authority form': head('CONNECT a:443 HTTP/1.1', 'Host: a:443'),
    'CONNECT in origin form': head('CONNECT / HTTP/1.1', 'Host: a'),
    'CONNECT with a tunnel’s bytes behind it': `${head('CONNECT a:443 HTTP/1.1', 'Host: a:443')}GET /in HTTP/1.1\r\nHost: a\r\n\r\n`,
  }),
])('the line: %s', (_, bytes, status) => expectRejected(bytes, status));
