import { parseUpstreamUrl } from '../../../core/validation/upstream-url';

test.each([
  ['http://old.internal', 'http', 'old.internal', 80],
  ['HTTPS://Old.Internal:8443/', 'https', 'old.internal', 8443],
  ['http://old_one.internal./', 'http', 'old_one.internal.', 80],
  ['https://[2001:DB8::1]', 'https', '2001:db8::1', 443],
  ['http://10.0.0.1:8080', 'http', '10.0.0.1', 8080],
])('%s is an upstream', (url, protocol, host, port) => {
  expect(parseUpstreamUrl(url)).toEqual({ protocol, host, port });
});

test.each([
  'http://a..b',
  'http://-a-',
  'http://a-.b',
  `http://${'a'.repeat(64)}`,
  'http://a//',
  'http://a/b',
  'http://a/?',
  'http://a?',
  'http://a#',
  'http://a:0',
  'http://a:65536',
  'http://user@a',
  'http:\\\\a',
  'http:a',
  'http:/a',
  'ht\ttp://a',
  'http://a\n',
  ' http://a',
  'ftp://a',
  '//a',
  'a:80',
  '',
  undefined,
  80,
])('%j is none', (url) => expect(parseUpstreamUrl(url)).toBeUndefined());
