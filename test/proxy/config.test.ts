import { ConfigSources, ProxyConfig, readConfig } from '../../proxy/config';

const SECRET = '0123456789abcdef';

function read(sources: Partial<ConfigSources>): ProxyConfig {
  const readText = () => {
    throw new Error('no such file');
  };
  return readConfig({ flags: {}, environment: {}, file: undefined, readText, ...sources });
}

function problemsOf(sources: Partial<ConfigSources>): string[] {
  try {
    read(sources);
  } catch (error) {
    expect((error as Error).name).toBe('ConfigInvalid');
    return (error as Error).message.split('\n');
  }
  return [];
}

test('an upstream is enough; the rest has defaults', () => {
  expect(read({ flags: { upstream: 'http://localhost:3000' } })).toEqual({
    side: 'source',
    listen: { host: '0.0.0.0', port: 8443 },
    upstream: { protocol: 'http', host: 'localhost', port: 3000, verifyCertificate: true },
    tls: 'off',
    upstreamIdleSeconds: 50,
    gracePeriodSeconds: 120,
    gracefulShutdownTimeoutSeconds: 10,
    propagationSeconds: 5,
    closeRatePerSecond: 20,
    logLevel: 'info',
  });
});

test('flags come before the environment, and that before the file', () => {
  const file = { upstream: 'http://file', side: 'target', grace_period_seconds: 1, propagation_seconds: 0 };
  const environment = {
    DRAINSHIFT_UPSTREAM: 'http://environment',
    DRAINSHIFT_GRACE_PERIOD_SECONDS: '2',
    DRAINSHIFT_SIDE: '',
  };
  const config = read({ file, environment, flags: { upstream: 'https://flag:8443' } });
  expect(config.upstream).toMatchObject({ protocol: 'https', host: 'flag', port: 8443 });
  expect(config).toMatchObject({ gracePeriodSeconds: 2, side: 'target', propagationSeconds: 0 });
});

test.each([
  ['short-lived', 30],
  ['mixed', 120],
  ['websocket-heavy', 300],
  [0, 0],
])('grace period %p', (given, seconds) => {
  expect(read({ file: { upstream: 'http://a', grace_period_seconds: given } }).gracePeriodSeconds).toBe(seconds);
});

test('addresses may be IPv6', () => {
  const config = read({ flags: { upstream: 'http://[::1]:3000', listen: '[::]:8443' } });
  expect(config.upstream).toMatchObject({ host: '::1', port: 3000 });
  expect(config.listen).toEqual({ host: '::', port: 8443 });
});

test('all errors are reported at once, each with name, rule and value', () => {
  const file = {
    listen: 'nowhere',
    upstream: 'ftp://a',
    side: 'left',
    tls: 'maybe',
    grace_period_seconds: 'long',
    propagation_seconds: -1,
    close_rate_per_second: 0,
    log_level: 'loud',
    upstream_verify_certificate: 'yes',
    lissten: 'x',
  };
  const problems = problemsOf({ file, environment: { DRAINSHIFT_ADMIN: 'x' } });
  expect(problems.map((line) => /^'([a-z_.]+)' must be .+, got .+$/.exec(line)?.[1])).toEqual([
    'config.lissten',
    'side',
    'listen',
    'admin',
    'admin_secret',
    'upstream',
    'upstream_verify_certificate',
    'tls',
    'grace_period_seconds',
    'propagation_seconds',
    'close_rate_per_second',
    'log_level',
  ]);
});

test.each(['http://a/path', 'http://a?x=1', 'http://user@a', 'http://', 'a:80', '', 'http://a:99999'])(
  'an upstream like %p is refused',
  (upstream) => {
    expect(problemsOf({ file: { upstream } })).toHaveLength(1);
  },
);

test('an upstream that is refused does not show who may use it', () => {
  for (const upstream of ['http://user:s3cret@a', 'user:s3cret@a', 'http://user:s3/cr@et@a']) {
    const [problem] = problemsOf({ file: { upstream } });
    expect(problem).toMatch(/^'upstream' must be .+, got "(http:\/\/)?\*\*\*@a"$/);
  }
});

test('an upstream is given up before the load balancer gives up its client', () => {
  const upstream = 'http://a';
  expect(read({ file: { upstream } }).upstreamIdleSeconds).toBeLessThan(60);
  expect(read({ file: { upstream, upstream_idle_seconds: 100 } }).upstreamIdleSeconds).toBe(100);
  expect(problemsOf({ file: { upstream, upstream_idle_seconds: 0 } })).toHaveLength(1);
});

describe('the admin secret', () => {
  const flags = { upstream: 'http://a', admin: '127.0.0.1:9901' };

  test('comes from the environment or a file', () => {
    const environment = { DRAINSHIFT_ADMIN_SECRET: SECRET };
    expect(read({ flags, environment }).admin).toEqual({ at: { host: '127.0.0.1', port: 9901 }, secret: SECRET });
    const file = { admin_secret_file: '/run/secret' };
    expect(read({ flags, file, readText: () => `${SECRET}\n` }).admin?.secret).toBe(SECRET);
  });

  test('is needed, must be long, and is never shown', () => {
    expect(problemsOf({ flags })).toHaveLength(1);
    const problems = problemsOf({ flags, environment: { DRAINSHIFT_ADMIN_SECRET: 'short-secret' } });
    expect(problems).toHaveLength(1);
    expect(problems.join()).not.toContain('short-secret');
    const inFile = problemsOf({ flags, file: { admin_secret: 'in-the-file-secret' } });
    expect(inFile.join()).toContain("'config.admin_secret' must be one of");
    expect(inFile.join()).not.toContain('in-the-file-secret');
  });

  test('a file that cannot be read is one of the problems', () => {
    expect(problemsOf({ flags, file: { admin_secret_file: '/none' } })[0]).toBe(
      '\'admin_secret_file\' must be the path of a readable file, got "/none"',
    );
  });
});

test('a certificate and its key come together', () => {
  const file = { upstream: 'http://a', tls_certificate_file: '/cert', tls_key_file: '/key' };
  expect(read({ file, readText: (path) => `PEM ${path}` }).tls).toEqual({ cert: 'PEM /cert', key: 'PEM /key' });
  expect(problemsOf({ file: { upstream: 'http://a', tls_key_file: '/key' }, readText: () => 'PEM' })).toEqual([
    "'tls_certificate_file' must be the path of a readable file, got nothing",
  ]);
});

test('a file that is no mapping is one problem, an empty file none', () => {
  expect(problemsOf({ file: ['x'], flags: { upstream: 'http://a' } })).toEqual([
    `'config' must be an object, got ["x"]`,
  ]);
  expect(read({ file: null, flags: { upstream: 'http://a' } }).side).toBe('source');
});
