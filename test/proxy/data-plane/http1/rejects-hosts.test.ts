import { stopAll } from '../../support/world';
import { each, expectRejected, head } from './support/rejections';

afterEach(stopAll);

const withHost = (...hosts: string[]) => head('GET / HTTP/1.1', ...hosts.map((host) => `Host: ${host}`));

test.each(
  each(400, {
    missing: withHost(),
    'missing, with other fields': head('GET / HTTP/1.1', 'X-Host: a'),
    'missing, with an absolute target': head('GET http://a/ HTTP/1.1'),
    'missing in HTTP/1.2': head('GET / HTTP/1.2'),
    'two that differ': withHost('a', 'b'),
    'two that are equal': withHost('a', 'a'),
    'two, of which one is empty': withHost('a', ''),
    'two in HTTP/1.0': head('GET / HTTP/1.0', 'Host: a', 'Host: b'),
    'two in different letters': head('GET / HTTP/1.1', 'Host: a', 'HOST: a'),
    'another than the absolute target’s': head('GET http://a/ HTTP/1.1', 'Host: b'),
    'another port than the absolute target’s': head('GET http://a:81/ HTTP/1.1', 'Host: a:82'),
    'an absolute target’s with a suffix': head('GET http://a/ HTTP/1.1', 'Host: a.b'),
    'a space within': withHost('a b'),
    'a TAB within': withHost('a\tb'),
    'an at sign': withHost('a@b'),
    'user information': withHost('user:secret@a'),
    'a slash': withHost('a/b'),
    'a scheme': withHost('http://a'),
    'a question mark': withHost('a?b'),
    'a hash': withHost('a#b'),
    'a backslash': withHost('a\\b'),
    'a port of letters': withHost('a:x'),
    'a port that is too large': withHost('a:65536'),
    'a port that is negative': withHost('a:-1'),
    'two ports': withHost('a:80:80'),
    'an open bracket': withHost('[::1'),
    'IPv6 without brackets': withHost('::1'),
    'letters behind a bracket': withHost('[::1]a'),
    'a byte over 127': withHost('caf\xe9'),
  }),
)('Host: %s', (_, bytes, status) => expectRejected(bytes, status));
