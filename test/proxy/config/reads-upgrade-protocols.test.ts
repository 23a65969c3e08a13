import { listProblems, read } from '../support/settings';

const upstream = 'http://a';

test.each([
  ['tcp', ['tcp']],
  ['TCP, Echo/1.0', ['tcp', 'echo/1.0']],
  [
    ['tcp', 'echo/1.0'],
    ['tcp', 'echo/1.0'],
  ],
  [[], []],
])('protocols like %j are taken', (given, protocols) => {
  expect(read({ file: { upstream, upgrade_protocols: given } }).limits.upgradeProtocols).toEqual(protocols);
});

test('a flag and a variable are lists with commas', () => {
  const environment = { DRAINSHIFT_UPGRADE_PROTOCOLS: 'tcp,echo' };
  expect(read({ flags: { upstream }, environment }).limits.upgradeProtocols).toEqual(['tcp', 'echo']);
  const flags = { upstream, upgrade_protocols: 'tcp' };
  expect(read({ flags, environment }).limits.upgradeProtocols).toEqual(['tcp']);
});

test.each([
  'h2c',
  'H2C',
  'tcp, h2c',
  'h2',
  'HTTP/2.0',
  'http',
  'TLS/1.0',
  'tls',
  'a b',
  'a/',
  'a/b/c',
  'tcp,',
  '*?/',
  ['tcp', ''],
  [true],
  true,
  7,
])('protocols like %j are rejected, by name, rule and value', (given) => {
  expect(listProblems({ file: { upstream, upgrade_protocols: given } })).toEqual([
    `'upgrade_protocols' must be tokens of Upgrade, and none of h2c, HTTP and TLS, got ${JSON.stringify(given)}`,
  ]);
});
