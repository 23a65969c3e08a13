import { listProblems, read } from '../support/settings';

const flags = { upstream: 'http://a', listen: '127.0.0.1:8443', mirror_url: 'https://b:9443' };

test('a mirror has its defaults, and trusts whom the upstream trusts', () => {
  expect(read({ flags }).mirror).toEqual({
    target: { protocol: 'https', host: 'b', port: 9443, verifyCertificate: true },
    share: 10,
    methods: 'safe',
    paths: [],
    never: [],
    repeatShare: 20,
    ignore: [],
    concurrency: 32,
    timeoutMs: 5_000,
    bodyBytes: 65_536,
    memoryBytes: 16_777_216,
  });
  const changed = read({
    flags: { ...flags, upstream_verify_certificate: 'false', mirror_ignore: 'header.ETag,body.*' },
  });
  expect(changed.mirror).toMatchObject({ target: { verifyCertificate: false }, ignore: ['header.ETag', 'body.*'] });
  expect(read({ flags: { upstream: 'http://a' } }).mirror).toBeUndefined();
});

test.each([
  [{ mirror_url: 'b' }, "'mirror_url' must be http(s)://host[:port] without a path"],
  [{ mirror_url: 'http://b/path' }, "'mirror_url' must be http(s)://host[:port] without a path"],
  [{ mirror_url: 'http://A:80/' }, "'mirror_url' must be another address than 'upstream'"],
  [{ mirror_url: 'http://localhost:8443' }, "'mirror_url' must be another address than 'listen'"],
  [{ mirror_methods: 'unsafe' }, "'mirror_methods' must be one of"],
  [{ mirror_share: '101' }, "'mirror_share' must be a number from 0 to 100"],
  [{ mirror_concurrency: '0' }, "'mirror_concurrency' must be an integer from 1 to 1000"],
])('%o: name, rule and value', (changes, problem) => {
  expect(listProblems({ flags: { ...flags, ...changes } })).toEqual([expect.stringContaining(problem) as string]);
});

test('settings of a mirror without one are rejected', () => {
  expect(listProblems({ flags: { upstream: 'http://a', mirror_share: '5' } })).toEqual([
    `'mirror_share' must be absent without 'mirror_url', got 5`,
  ]);
});
