import { generate } from 'selfsigned';
import { readFlags } from '../../../proxy/config/flags';
import { listProblems, read } from '../support/settings';

let pair: { readonly cert: string; readonly private: string };
beforeAll(async () => {
  pair = await generate([{ name: 'commonName', value: 'a.example' }], { keyType: 'ec', algorithm: 'sha256' });
});

test('an upstream is enough; the rest has defaults', () => {
  expect(read({ flags: { upstream: 'http://localhost:3000' } })).toEqual({
    side: 'source',
    listen: { host: '0.0.0.0', port: 8443 },
    upstream: { protocol: 'http', host: 'localhost', port: 3000, verifyCertificate: true },
    workers: 1,
    tls: 'off',
    timeouts: {
      clientIdleMs: 75_000,
      headMs: 15_000,
      connectMs: 10_000,
      firstByteMs: 50_000,
      upstreamIdleMs: 50_000,
      bodyIdleMs: 60_000,
      streamIdleMs: 0,
      upstreamPingMs: 300_000,
      poolIdleMs: 4_000,
      upstreamAgeMs: 60_000,
    },
    limits: {
      requestLineBytes: 16_384,
      fieldBytes: 65_536,
      fieldLines: 200,
      clientConnections: 30_000,
      upstreamConnections: 28_000,
      idleUpstreamConnections: 1_024,
      memoryBytes: 0,
      headBytesPerSecond: 100,
      uploadBytesPerSecond: 240,
      readBytesPerSecond: 240,
      waitingRequests: 1_024,
      concurrentStreams: 128,
      upgradeProtocols: [],
    },
    gracePeriodSeconds: 100,
    gracefulShutdownTimeoutSeconds: 10,
    propagationSeconds: 5,
    stopTimeoutSeconds: 120,
    closeRatePerSecond: 20,
    moves: {
      mode: 'resumable',
      timeoutMs: 5_000,
      concurrency: 64,
      never: [],
      dropsContextTakeover: false,
      adapters: { names: ['socket.io', 'graphql-transport-ws'], rules: [] },
    },
    restart: { maxGenerations: 3, timeoutSeconds: 30 },
    tlsHandover: 'auto',
    pumpSeconds: 3_600,
    protectsTask: false,
    forwardedFor: 'append',
    smokeTestPorts: [],
    proxyProtocol: 'off',
    accessLog: 'errors',
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
    upstream_server_name: '10.0.0.1',
    upstream_authorities_file: '/none',
    upstream_local_address: 'eth0',
    other_upstream: 'nowhere',
    other_upstream_server_name: '::1',
    workers: 65,
    head_seconds: 0,
    stream_idle_seconds: -0.5,
    field_lines: 12.5,
    waiting_requests: -1,
    stop_timeout_seconds: 'long',
    access_log: 'all',
    lissten: 'x',
  };
  const problems = listProblems({ file, environment: { DRAINSHIFT_ADMIN: 'x' } });
  expect(problems.map((line) => /^'([a-z_.]+)' must be .+, got .+$/.exec(line)?.[1])).toEqual([
    'config.lissten',
    'side',
    'listen',
    'admin',
    'admin_secret',
    'workers',
    'upstream',
    'upstream_server_name',
    'other_upstream',
    'other_upstream_server_name',
    'upstream_verify_certificate',
    'upstream_authorities_file',
    'upstream_local_address',
    'tls',
    'head_seconds',
    'stream_idle_seconds',
    'field_lines',
    'waiting_requests',
    'propagation_seconds',
    'stop_timeout_seconds',
    'grace_period_seconds',
    'close_rate_per_second',
    'access_log',
    'log_level',
  ]);
});

test.each(['http://a/path', 'http://a?x=1', 'http://user@a', 'http://', 'a:80', '', 'http://a:99999', 'http://a:0'])(
  'an upstream like %p is rejected',
  (upstream) => {
    expect(listProblems({ file: { upstream } })).toHaveLength(1);
  },
);

test('an upstream that is rejected does not show who may use it', () => {
  for (const upstream of ['http://user:s3cret@a', 'user:s3cret@a', 'http://user:s3/cr@et@a']) {
    const [problem] = listProblems({ file: { upstream } });
    expect(problem).toMatch(/^'upstream' must be .+, got "(http:\/\/)?\*\*\*@a"$/);
  }
});

test.each(['a b', 'a\r\nb', 'a\0', ' a', '', '.', 'a..b', '-a', 'ä.example', 'a/b', 'a:1', `${'a'.repeat(64)}.b`])(
  'a server name like %p is rejected',
  (name) => {
    for (const setting of ['upstream_server_name', 'other_upstream_server_name']) {
      const file = { upstream: 'https://a', [setting]: name };
      expect(listProblems({ file })).toEqual([`'${setting}' must be a host name, got ${JSON.stringify(name)}`]);
    }
  },
);

test.each(['a', 'A.Example', 'my_app.internal', 'xn--4ca.example', '1a.example', 'a.example.'])(
  'a server name like %p is taken',
  (serverName) => {
    const file = { upstream: 'https://a', upstream_server_name: serverName };
    expect(read({ file }).upstream).toMatchObject({ serverName });
  },
);

test('an upstream is given up before the load balancer gives up its client', () => {
  const upstream = 'http://a';
  expect(read({ file: { upstream } }).timeouts.upstreamIdleMs).toBeLessThan(60_000);
  expect(read({ file: { upstream, upstream_idle_seconds: 100 } }).timeouts.upstreamIdleMs).toBe(100_000);
  expect(listProblems({ file: { upstream, upstream_idle_seconds: 0 } })).toHaveLength(1);
});

test('pings to an upstream can be turned off', () => {
  const file = { upstream: 'http://a', upstream_ping_seconds: 0 };
  expect(read({ file }).timeouts.upstreamPingMs).toBe(0);
  const wrong = listProblems({ file: { ...file, upstream_ping_seconds: -1 } });
  expect(wrong).toEqual(["'upstream_ping_seconds' must be a number from 0 to 86400, got -1"]);
});

test('how long a response may take to begin is said by itself, or as how long it may be quiet', () => {
  const listTimeouts = (file: object) => read({ file: { upstream: 'http://a', ...file } }).timeouts;
  expect(listTimeouts({ first_byte_seconds: 2 })).toMatchObject({ firstByteMs: 2_000, upstreamIdleMs: 50_000 });
  expect(listTimeouts({ upstream_idle_seconds: 7 })).toMatchObject({ firstByteMs: 7_000, upstreamIdleMs: 7_000 });
  const file = { upstream: 'http://a', first_byte_seconds: 0 };
  expect(listProblems({ file })).toEqual(["'first_byte_seconds' must be a number from 0.01 to 86400, got 0"]);
});

test('a grace period that no one asked for fits into the time until the kill', () => {
  const findGrace = (file: object) => read({ file: { upstream: 'http://a', ...file } }).gracePeriodSeconds;
  expect(findGrace({ stop_timeout_seconds: 30 })).toBe(10);
  expect(findGrace({ stop_timeout_seconds: 3600 })).toBe(120);
  expect(findGrace({ stop_timeout_seconds: 5 })).toBe(0);
  expect(findGrace({ stop_timeout_seconds: 30, grace_period_seconds: 'websocket-heavy' })).toBe(300);
});

test('times may have fractions, from wherever they come', () => {
  const config = read({
    flags: { upstream: 'http://a', head_seconds: '0.25' },
    environment: { DRAINSHIFT_CONNECT_SECONDS: '1.5' },
    file: { body_idle_seconds: 0.05 },
  });
  expect(config.timeouts).toMatchObject({ headMs: 250, connectMs: 1500, bodyIdleMs: 50 });
});

test.each([
  ['on', 'on'],
  [true, 'on'],
  ['off', 'off'],
  [false, 'off'],
  ['errors', 'errors'],
])('access_log: %p', (given, mode) => {
  expect(read({ file: { upstream: 'http://a', access_log: given } }).accessLog).toBe(mode);
});

describe('the other upstream', () => {
  test('is checked and trusted as the first one, with a name of its own', () => {
    const file = {
      upstream: 'https://a',
      upstream_server_name: 'a.example',
      other_upstream: 'https://b:8443',
      other_upstream_server_name: 'b.example',
      upstream_verify_certificate: true,
      upstream_authorities_file: '/ca.pem',
      upstream_local_address: '::1',
    };
    const authorities = pair.cert;
    const trust = { verifyCertificate: true, authorities, localAddress: '::1' };
    const config = read({ file, readText: () => authorities });
    expect(config.upstream).toEqual({ protocol: 'https', host: 'a', port: 443, serverName: 'a.example', ...trust });
    expect(config.otherUpstream).toEqual({
      protocol: 'https',
      host: 'b',
      port: 8443,
      serverName: 'b.example',
      ...trust,
    });
    expect(listProblems({ file: { upstream: 'http://a', other_upstream: 'http://u:s3cret@b' } })[0]).not.toContain(
      's3cret',
    );
  });

  test('authorities that are no certificates are rejected', () => {
    const file = { upstream: 'https://a', upstream_authorities_file: '/key.pem' };
    expect(listProblems({ file, readText: () => 'no PEM' })).toEqual([
      '\'upstream_authorities_file\' must be a PEM file with certificates, got "/key.pem"',
    ]);
  });
});

describe('the command line', () => {
  test('every setting is a flag', () => {
    const command = readFlags(['--upstream', 'http://a', '--stop-timeout-seconds', '60', '--field-lines=50']);
    expect(command).toMatchObject({
      kind: 'run',
      flags: { upstream: 'http://a', stop_timeout_seconds: '60', field_lines: '50' },
    });
  });

  test('a negative number reaches its setting, which says what is wrong with it', () => {
    const command = readFlags(['--upstream', 'http://a', '--grace-period-seconds', '-3']);
    if (command.kind !== 'run') throw new Error('refused');
    expect(listProblems({ flags: command.flags })).toEqual([
      "'grace_period_seconds' must be a number from 0 to 86400, or one of short-lived, mixed, websocket-heavy, got -3",
    ]);
  });

  test('what is no flag, or lacks its value, is said', () => {
    expect(readFlags(['--bogus'])).toEqual({ kind: 'wrong', problem: "Unknown option '--bogus'" });
    expect(readFlags(['--listen'])).toMatchObject({
      kind: 'wrong',
      problem: expect.stringContaining('--listen') as string,
    });
    expect(readFlags(['-3'])).toMatchObject({ kind: 'wrong' });
  });
});

test('a certificate and its key come together', () => {
  const file = { upstream: 'http://a', tls_certificate_file: '/cert', tls_key_file: '/key' };
  const readText = (path: string) => (path === '/cert' ? pair.cert : pair.private);
  expect(read({ file, readText }).tls).toEqual({ cert: pair.cert, key: pair.private });
  expect(listProblems({ file: { upstream: 'http://a', tls_key_file: '/key' }, readText })).toEqual([
    "'tls_certificate_file' must be the path of a readable file, got nothing",
  ]);
});

test('a file that is no mapping is one problem, an empty file none', () => {
  expect(listProblems({ file: ['x'], flags: { upstream: 'http://a' } })).toEqual([
    `'config' must be an object, got ["x"]`,
  ]);
  expect(read({ file: null, flags: { upstream: 'http://a' } }).side).toBe('source');
});

test('proxy_protocol', () => {
  const findMode = (proxy_protocol: unknown) => read({ file: { upstream: 'http://a', proxy_protocol } }).proxyProtocol;
  expect(['required', 'off', false].map(findMode)).toEqual(['required', 'off', 'off']);
  expect(() => findMode(true)).toThrow(/'proxy_protocol' must be one of off, required, got "?on/);
});

test.each([
  ['9201, 9202', ['9201', '9202']],
  [
    [9201, '9202'],
    ['9201', '9202'],
  ],
  [65_535, ['65535']],
  ['', []],
])('smoke_test_ports like %j are ports', (given, ports) => {
  const environment = { DRAINSHIFT_SMOKE_TEST_PORTS: String(given) };
  expect(read({ flags: { upstream: 'http://a' }, environment }).smokeTestPorts).toEqual(ports);
  const file = { upstream: 'http://a', ...(given !== '' && { smoke_test_ports: given }) };
  expect(read({ file }).smokeTestPorts).toEqual(ports);
});

test.each(['0', '65536', '09201', '9201,', 'https', '9201-9202', 9201.5, -1, true])(
  'smoke_test_ports like %j are rejected, by name, rule and value',
  (given) => {
    expect(() => read({ file: { upstream: 'http://a', smoke_test_ports: given } })).toThrow(
      `'smoke_test_ports' must be ports from 1 to 65535, got ${JSON.stringify(given)}`,
    );
  },
);

test('forwarded_for and via', () => {
  expect(read({ file: { upstream: 'http://a', forwarded_for: 'preserve', via: 'shop-2' } })).toMatchObject({
    forwardedFor: 'preserve',
    via: 'shop-2',
  });
  expect(() => read({ file: { upstream: 'http://a', forwarded_for: 'never', via: 'a b' } })).toThrow(
    /'forwarded_for' must be one of append, preserve, got "?never[^]*'via' must be a name of letters/,
  );
});

test.each(['224.0.0.1', '239.255.255.250', '255.255.255.255', 'ff02::1', '::ffff:224.0.0.1'])(
  'no connection comes from %s',
  (address) => {
    const environment = { DRAINSHIFT_UPSTREAM: 'http://app', DRAINSHIFT_UPSTREAM_LOCAL_ADDRESS: address };
    expect(() => read({ environment })).toThrow(
      `'upstream_local_address' must be an IP address of one machine, got "${address}"`,
    );
  },
);
