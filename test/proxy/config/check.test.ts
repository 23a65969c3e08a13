import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generate } from 'selfsigned';
import { SETTINGS } from '../../../core/proxy/settings/setting-names';
import { describeConfig } from '../../../proxy/config/check';
import { readConfig } from '../../../proxy/config/config';
import type { ConfigSources } from '../../../proxy/config/given';

const ROOT = join(__dirname, '../../..');
const BUNDLE = join(ROOT, 'dist/assets/proxy/proxy.js');
const folder = mkdtempSync(join(tmpdir(), 'drainshift-check-'));

afterAll(() => rmSync(folder, { recursive: true }));

function describeGiven(given: Partial<ConfigSources>, machine = { memoryBytes: 512, openFiles: Infinity }): string {
  const sources = { flags: {}, environment: {}, file: undefined, readText: () => '', ...given };
  return describeConfig(readConfig(sources), sources, machine, ['Few connections']);
}

/** The value and the origin of each setting. */
function listLines(text: string): Map<string, string> {
  const lines = text.split('\n').map((line) => /^([a-z_]+) {2,}(.+?)$/.exec(line));
  return new Map(lines.flatMap((match) => (match ? [[match[1]!, match[2]!.replace(/ {2,}/, ' | ')]] : [])));
}

/** The image's entry point, as the container runs it. */
function run(args: readonly string[], environment: Readonly<Record<string, string>> = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [BUNDLE, ...args], {
    encoding: 'utf8',
    env: environment,
  });
  return { status, stdout, stderr };
}

test('it says of every setting what it is and where that comes from', () => {
  const lines = listLines(
    describeGiven({
      flags: { upstream: 'http://[::1]:3000', upstream_idle_seconds: '20' },
      environment: { DRAINSHIFT_LOG_LEVEL: 'warn', DRAINSHIFT_SIDE: '' },
      file: { upgrade_protocols: ['TCP', 'echo/1'], access_log: true, stop_timeout_seconds: 30, head_seconds: 15 },
    }),
  );
  expect([...lines.keys()].sort()).toEqual([...SETTINGS].sort());
  expect(Object.fromEntries(lines)).toMatchObject({
    upstream: 'http://[::1]:3000 | --upstream',
    upstream_idle_seconds: '20 s | --upstream-idle-seconds',
    first_byte_seconds: '20 s | as upstream_idle_seconds',
    log_level: 'warn | DRAINSHIFT_LOG_LEVEL',
    side: 'source | default',
    upgrade_protocols: 'tcp,echo/1 | file',
    access_log: 'on | file',
    head_seconds: '15 s | file',
    grace_period_seconds: '10 s | default',
    memory_bytes: '512 bytes | default',
    upstream_server_name: '::1 | default',
    field_lines: '200 lines | default',
    via: 'none | default',
  });
});

test('it says in words what the proxy would do, and what it would warn of', () => {
  const text = describeGiven({
    flags: { upstream: 'http://a', workers: '2', listen: '[::]:8443', tls: 'self-signed' },
  });
  expect(text).toContain('- listen on [::]:8443 with TLS, in 2 processes\n');
  expect(text).toContain('- send requests to http://a:80, as the proxy of the source\n');
  expect(text).toContain('- have no admin API');
  expect(text).toMatch(/\n\nWarning: Few connections\n$/);
});

test('connections are no more than the files of its processes allow', () => {
  const flags = { upstream: 'http://a', workers: '2', upstream_connections: '10' };
  const lines = listLines(describeGiven({ flags }, { memoryBytes: 1, openFiles: 1_048 }));
  expect([lines.get('client_connections'), lines.get('upstream_connections')]).toEqual([
    '874 connections | default',
    '10 connections | --upstream-connections',
  ]);
});

test('no secret is shown, from wherever it comes', async () => {
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'a' }], { keyType: 'ec' });
  const text = describeGiven({
    environment: {
      DRAINSHIFT_ADMIN_SECRET: 's3cret-of-the-admin',
      DRAINSHIFT_SESSION_STORE_PASSWORD: 's3cret',
      DRAINSHIFT_UPSTREAM_AUTHORITIES: `s3cret\n${cert}`,
    },
    file: {
      upstream: 'https://a',
      admin: '127.0.0.1:1',
      session_store_url: 'rediss://user@store',
      tls_certificate_file: '/cert.pem',
      tls_key_file: '/key.pem',
    },
    readText: (path) => (path === '/cert.pem' ? cert : key),
  });
  for (const secret of ['s3cret', key.split('\n')[1]!, cert.split('\n')[1]!]) expect(text).not.toContain(secret);
  expect(Object.fromEntries(listLines(text))).toMatchObject({
    admin_secret: '(not shown) | DRAINSHIFT_ADMIN_SECRET',
    session_store_password: '(not shown) | DRAINSHIFT_SESSION_STORE_PASSWORD',
    session_store_user: 'user | default',
    upstream_authorities: '1 certificate | DRAINSHIFT_UPSTREAM_AUTHORITIES',
    tls: 'own certificate | default',
    tls_key_file: '/key.pem | file',
  });
});

test('the example of the docs is valid, and --check ends with 0 and binds nothing', () => {
  const [, example = ''] = /```yaml\n(# yaml-language-server: [^]*?)```/.exec(
    readFileSync(join(ROOT, 'docs/proxy.md'), 'utf8'),
  )!;
  const file = join(folder, 'proxy.yaml');
  writeFileSync(file, example);
  const { status, stdout, stderr } = run(['--check', '--config', file]);
  expect([status, stderr]).toEqual([0, '']);
  expect(listLines(stdout).get('grace_period_seconds')).toBe('300 s | file');
});

test('the file is text in UTF-8 or UTF-16, with anchors and merges; another one is rejected in a clear line', () => {
  const file = join(folder, 'encoded.yaml');
  const yaml = 'upstream: http://a\nfield_lines: &few 20\nwaiting_requests: *few\n<<: { log_level: warn }\n';
  writeFileSync(file, Buffer.from(`\ufeff${yaml}`, 'utf16le'));
  const lines = listLines(run(['--check', '--config', file]).stdout);
  expect([lines.get('waiting_requests'), lines.get('log_level')]).toEqual(['20 requests | file', 'warn | file']);
  writeFileSync(file, Buffer.from(yaml, 'utf16le'));
  expect(run(['--check', '--config', file])).toEqual({
    status: 64,
    stdout: '',
    stderr: `'config' must be a readable YAML file, got ${file}: its text must be UTF-8, or UTF-16 with a byte order mark, got zero bytes\n`,
  });
});

test('--check ends with 64 and one line for each mistake, as a start does', () => {
  const environment = { DRAINSHIFT_FIELD_LINES: '2', DRAINSHIFT_ADMIN_SECRET: 's3cret' };
  const args = ['--upstream', 'http://a', '--log-level', 'loud', '--admin', '127.0.0.1:1'];
  const checked = run(['--check', ...args], environment);
  expect(checked).toEqual({ ...run(args, environment), status: 64, stdout: '' });
  expect(checked.stderr.trim().split('\n')).toHaveLength(3);
  expect(checked.stderr).not.toContain('s3cret');
  expect(run(['--check', '--config', join(folder, 'none.yaml')])).toMatchObject({ status: 64, stdout: '' });
});
