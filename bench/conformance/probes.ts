/** One request, and how it is to get a response. */
export interface Probe {
  readonly name: string;
  /** Words of its row in docs/guarantees.md. */
  readonly of: string;
  readonly status: number;
  readonly bytes: string;
}

const head = (line: string, ...fields: string[]) => `${[line, ...fields].join('\r\n')}\r\n\r\n`;
const get = (...fields: string[]) => head('GET / HTTP/1.1', 'Host: a', ...fields);
const post = (...fields: string[]) => head('POST / HTTP/1.1', 'Host: a', ...fields);
const chunked = (body: string, ...fields: string[]) => post('Transfer-Encoding: chunked', ...fields) + body;
const webSocket = (...fields: string[]) => ['Connection: Upgrade', 'Upgrade: websocket', ...fields];
const KEY = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==';

function probes(of: string, status: number, cases: Readonly<Record<string, string>>): Probe[] {
  return Object.entries(cases).map(([name, bytes]) => ({ name, of, status, bytes }));
}

const LINE = 'its line is not';
const TARGET = 'its target holds';
const FIELD = 'a bare CR or LF';
const HOST = 'no Host in 1.1';
const FRAMING = 'Transfer-Encoding with Content-Length';
const LENGTH = 'several Content-Lengths';
const CHUNK = 'a chunk whose size';
const TRAILER = 'a trailer that frames';
const WEB_SOCKET = 'a WebSocket that is not asked for';

/** All rows of "What it rejects", and a few that must be served, so that a proxy which rejects everything passes nothing. */
export const PROBES: readonly Probe[] = [
  ...probes(LINE, 200, { 'the least request': get() }),
  ...probes(LINE, 400, {
    'two spaces in the line': head('GET  / HTTP/1.1', 'Host: a'),
    'a TAB in the line': head('GET\t/ HTTP/1.1', 'Host: a'),
    'no version': head('GET /', 'Host: a'),
    'a method that is no token': head('G(T / HTTP/1.1', 'Host: a'),
    'a version in lowercase': head('GET / http/1.1', 'Host: a'),
  }),
  ...probes(TARGET, 400, {
    'a control byte in the target': head('GET /\x01 HTTP/1.1', 'Host: a'),
    'a fragment in the target': head('GET /#a HTTP/1.1', 'Host: a'),
    'a target that is not ASCII': head('GET /\xe9 HTTP/1.1', 'Host: a'),
    'a target without a slash': head('GET a HTTP/1.1', 'Host: a'),
    '* of another method': head('GET * HTTP/1.1', 'Host: a'),
  }),
  ...probes('`CONNECT`', 405, { CONNECT: head('CONNECT a:443 HTTP/1.1', 'Host: a:443') }),
  ...probes('a major version other than 1', 505, { 'HTTP/3.0': head('GET / HTTP/3.0', 'Host: a') }),
  ...probes('a line over `request_line_bytes`', 414, {
    'a line of 100 kB': head(`GET /${'a'.repeat(100_000)} HTTP/1.1`, 'Host: a'),
  }),
  ...probes('fields over `field_bytes`', 431, { 'a field of 100 kB': get(`X: ${'a'.repeat(100_000)}`) }),
  ...probes(FIELD, 400, {
    'a bare LF': 'GET / HTTP/1.1\nHost: a\n\n',
    'a bare CR in a value': get('X: a\rb'),
    'a folded line': get('X: a', ' b'),
    'a space before the colon': get('X : a'),
    'a name that is no token': get('X(: a'),
    'no colon': get('X'),
    'NUL in a value': get('X: a\0b'),
    'a control byte in a value': get('X: a\x01b'),
    'DEL in a value': get('X: a\x7fb'),
    'a name that is empty': get(': a'),
  }),
  ...probes('more than 8 empty lines', 400, { 'nine empty lines': '\r\n'.repeat(9) + get() }),
  ...probes('more than 8 empty lines', 200, { 'one empty line': '\r\n' + get() }),
  ...probes(HOST, 400, {
    'no Host': head('GET / HTTP/1.1'),
    'two Hosts': head('GET / HTTP/1.1', 'Host: a', 'Host: a'),
    'an empty Host': head('GET / HTTP/1.1', 'Host:'),
    'user information in Host': head('GET / HTTP/1.1', 'Host: u@a'),
    'a path in Host': head('GET / HTTP/1.1', 'Host: a/b'),
    'a Host that contradicts the target': head('GET http://a/ HTTP/1.1', 'Host: b'),
  }),
  ...probes(FRAMING, 400, {
    'both framings': `${post('Transfer-Encoding: chunked', 'Content-Length: 5')}0\r\n\r\n`,
    'chunked in HTTP/1.0': `${head('POST / HTTP/1.0', 'Host: a', 'Transfer-Encoding: chunked')}0\r\n\r\n`,
    'chunked twice': `${post('Transfer-Encoding: chunked, chunked')}0\r\n\r\n`,
    'chunked that is not last': `${post('Transfer-Encoding: chunked, gzip')}0\r\n\r\n`,
    'chunked with a control byte': `${post('Transfer-Encoding: \x0bchunked')}0\r\n\r\n`,
  }),
  ...probes('another coding before', 501, {
    'gzip before chunked': `${post('Transfer-Encoding: gzip, chunked')}0\r\n\r\n`,
  }),
  ...probes(LENGTH, 400, {
    'two lengths': `${post('Content-Length: 5', 'Content-Length: 6')}hello`,
    'two equal lengths': `${post('Content-Length: 5', 'Content-Length: 5')}hello`,
    'a length with a sign': `${post('Content-Length: +5')}hello`,
    'a negative length': `${post('Content-Length: -5')}hello`,
    'a length in hex': `${post('Content-Length: 0x5')}hello`,
    'a length that overflows': post('Content-Length: 99999999999999999999'),
  }),
  ...probes(CHUNK, 200, { 'a chunked body': chunked('5\r\nhello\r\n0\r\n\r\n') }),
  ...probes(CHUNK, 400, {
    'a chunk size with a prefix': chunked('0x5\r\nhello\r\n0\r\n\r\n'),
    'a chunk size with a sign': chunked('+5\r\nhello\r\n0\r\n\r\n'),
    'a chunk size that overflows': chunked('fffffffffffffffff\r\nhello\r\n0\r\n\r\n'),
    'a chunk that ends with LF': chunked('5\nhello\r\n0\r\n\r\n'),
    'a chunk longer than its size': chunked('5\r\nhelloX\r\n0\r\n\r\n'),
    'an extension with a control byte': chunked('5;a=\x01\r\nhello\r\n0\r\n\r\n'),
  }),
  ...probes(TRAILER, 400, {
    'Content-Length as a trailer': chunked('0\r\nContent-Length: 5\r\n\r\n'),
    'Host as a trailer': chunked('0\r\nHost: b\r\n\r\n'),
    'Authorization as a trailer': chunked('0\r\nAuthorization: b\r\n\r\n'),
  }),
  ...probes('an expectation other than', 417, { 'another expectation': get('Expect: wonders') }),
  ...probes(WEB_SOCKET, 400, {
    'a WebSocket by POST': post(...webSocket('Sec-WebSocket-Version: 13', KEY), 'Content-Length: 0'),
    'a WebSocket without a key': get(...webSocket('Sec-WebSocket-Version: 13')),
    'a WebSocket with a short key': get(...webSocket('Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: YQ==')),
  }),
  ...probes('a WebSocket of another version', 426, {
    'a WebSocket of version 8': get(...webSocket('Sec-WebSocket-Version: 8', KEY)),
  }),
  ...probes('one of `upgrade_protocols`', 400, {
    'an upgrade with a body': `${post('Connection: Upgrade', 'Upgrade: tcp', 'Content-Length: 1')}x`,
  }),
  ...probes('a head that is not whole', 408, {
    'a head that stops': 'GET / HTTP/1.1\r\nHost: a\r\n',
    'a body that stops': post('Content-Length: 5') + 'hel',
  }),
];
