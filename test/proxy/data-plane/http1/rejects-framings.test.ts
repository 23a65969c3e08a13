import { stopAll } from '../../support/world';
import { each, expectRejected, head } from './support/rejections';

afterEach(stopAll);

const CHUNKS = '5\r\nhello\r\n0\r\n\r\n';
const post = (...fields: string[]) => head('POST / HTTP/1.1', 'Host: a', ...fields);
const coded = (...codings: string[]) => post(...codings.map((coding) => `Transfer-Encoding: ${coding}`)) + CHUNKS;
const sized = (...lengths: string[]) => `${post(...lengths.map((length) => `Content-Length: ${length}`))}hello`;

test.each([
  ...each(400, {
    'chunked and a length': post('Transfer-Encoding: chunked', 'Content-Length: 15') + CHUNKS,
    'a length and chunked': post('Content-Length: 15', 'Transfer-Encoding: chunked') + CHUNKS,
    'chunked and a length of 0': post('Transfer-Encoding: chunked', 'Content-Length: 0') + CHUNKS,
    'chunked and an empty length': post('Transfer-Encoding: chunked', 'Content-Length:') + CHUNKS,
    'a length in capitals and CHUNKED': post('CONTENT-LENGTH: 15', 'TRANSFER-ENCODING: CHUNKED') + CHUNKS,
    'both, hidden by Connection':
      post('Connection: content-length', 'Content-Length: 15', 'Transfer-Encoding: chunked') + CHUNKS,
    'both, on a GET': head('GET / HTTP/1.1', 'Host: a', 'Content-Length: 15', 'Transfer-Encoding: chunked') + CHUNKS,
  }),
  ...each([400, 501], {
    'another coding and a length': post('Transfer-Encoding: gzip', 'Content-Length: 15') + CHUNKS,
  }),
])('Transfer-Encoding with Content-Length: %s', (_, bytes, status) => expectRejected(bytes, status));

test.each([
  ...each(400, {
    'chunked twice': coded('chunked, chunked'),
    'chunked twice, in two lines': coded('chunked', 'chunked'),
    'chunked before another': coded('chunked, gzip'),
    'chunked before another, in two lines': coded('chunked', 'gzip'),
    'chunked before identity': coded('chunked, identity'),
    'chunked first and last': coded('chunked, gzip, chunked'),
    'chunked behind a no-break space': coded('\xa0chunked'),
    'chunked before a no-break space': coded('chunked\xa0'),
    'chunked before a next line': coded('chunked\x85'),
  }),
  ...each(501, {
    'gzip before chunked': coded('gzip, chunked'),
    'gzip before chunked, in two lines': coded('gzip', 'chunked'),
    'identity before chunked': coded('identity, chunked'),
    'an unknown coding before chunked': coded('tea, chunked'),
  }),
  // An unknown coding (501), and at the same time a body without a known end (400).
  ...each([400, 501], {
    'gzip alone': coded('gzip'),
    identity: coded('identity'),
    'an unknown coding': coded('tea'),
    'almost chunked': coded('xchunked'),
    'chunked and more': coded('chunkedx'),
  }),
  ...each([400, 501], {
    'chunked with a parameter': coded('chunked;a=b'),
    'chunked in quotes': coded('"chunked"'),
    'chunked, twice without a comma': coded('chunked chunked'),
    'an empty coding': coded(''),
    'chunked with a semicolon': coded('chunked;'),
    'another separator': coded('gzip; chunked'),
  }),
])('Transfer-Encoding: %s', (_, bytes, status) => expectRejected(bytes, status));

test.each(
  each(400, {
    chunked: head('POST / HTTP/1.0', 'Host: a', 'Transfer-Encoding: chunked') + CHUNKS,
    'chunked, without Host': head('POST / HTTP/1.0', 'Transfer-Encoding: chunked') + CHUNKS,
    'chunked, kept alive':
      head('POST / HTTP/1.0', 'Host: a', 'Connection: keep-alive', 'Transfer-Encoding: chunked') + CHUNKS,
  }),
)('Transfer-Encoding on HTTP/1.0: %s', (_, bytes, status) => expectRejected(bytes, status));

test.each(
  each(400, {
    'two that differ': sized('5', '6'),
    'two that differ, in one line': sized('5, 6'),
    'two that are equal': sized('5', '5'),
    'two that are equal, in one line': sized('5, 5'),
    'two that differ in a leading zero': sized('5', '05'),
    'one of them empty': sized('5', ''),
    'a plus sign': sized('+5'),
    'a minus sign': sized('-1'),
    'minus zero': sized('-0'),
    'a space within': sized('5 5'),
    hex: sized('0x5'),
    letters: sized('five'),
    'a letter behind it': sized('5b'),
    'an exponent': sized('5e0'),
    'a dot': sized('5.0'),
    'a comma behind it': sized('5,'),
    'a comma before it': sized(',5'),
    'an underscore': sized('5_0'),
    quotes: sized('"5"'),
    nothing: sized(''),
    'one more than 2^53': sized('9007199254740993'),
    '2^64 and 5': sized('18446744073709551621'),
    'a hundred digits': sized('9'.repeat(100)),
    'on a GET': `${head('GET / HTTP/1.1', 'Host: a', 'Content-Length: 5, 6')}hello`,
    'on HTTP/1.0': `${head('POST / HTTP/1.0', 'Host: a', 'Content-Length: 5', 'Content-Length: 6')}hello`,
  }),
)('Content-Length: %s', (_, bytes, status) => expectRejected(bytes, status));
