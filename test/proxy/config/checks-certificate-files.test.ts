import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { generate } from 'selfsigned';
import { readConfig } from '../../../proxy/config/config';
import { authority, certificateFrom } from '../support/authority';
import { ProxyBundle, bundleProxy, listening } from '../support/proxy-process';
import { get, later, stopAll } from '../support/world';

const GARBAGE = '-----BEGIN CERTIFICATE-----\nc2VjcmV0IGdhcmJhZ2U=\n-----END CERTIFICATE-----\n';
const CIPHER = { type: 'pkcs8', format: 'pem', cipher: 'aes-128-cbc', passphrase: 'abcd' } as const;

const RULES = {
  certificate: "'tls_certificate_file' must be a PEM file with certificates",
  key: "'tls_key_file' must be a PEM file with a private key that needs no passphrase",
  pair: "'tls_key_file' must be the key of the first certificate in 'tls_certificate_file'",
  authorities: "'upstream_authorities_file' must be a PEM file with certificates",
} as const;

interface Pair {
  readonly cert: string;
  readonly private: string;
}

let own: Pair;
let other: Pair;
let bundle: ProxyBundle;
beforeAll(async () => {
  const make = () => generate([{ name: 'commonName', value: 'localhost' }], { keyType: 'ec', algorithm: 'sha256' });
  [own, other] = await Promise.all([make(), make()]);
  bundle = bundleProxy();
});
afterAll(() => bundle.remove());
afterEach(stopAll);

function read(texts: Readonly<Record<string, string>>) {
  const file: Record<string, string> = { upstream: 'https://a.example' };
  if (texts['cert'] !== undefined) Object.assign(file, { tls_certificate_file: 'cert', tls_key_file: 'key' });
  if (texts['ca'] !== undefined) file['upstream_authorities_file'] = 'ca';
  return readConfig({ flags: {}, environment: {}, file, readText: (name) => texts[name] ?? '' });
}

function listProblems(texts: Readonly<Record<string, string>>): string[] {
  try {
    read(texts);
    return [];
  } catch (error) {
    return (error as Error).message.split('\n');
  }
}

test('a pair is taken, with a chain behind it and with what else stands in the files', () => {
  const cert = `Certificate:\n    Data:\n${own.cert}\n${other.cert}`;
  const key = `${own.cert}\n${own.private}`;
  expect(read({ cert, key, ca: `# ours\n${own.cert}\n# theirs\n${other.cert}` })).toMatchObject({
    tls: { cert, key },
    upstream: { authorities: expect.stringContaining('# theirs') as string },
  });
});

test('a certificate file that is none is rejected, wherever in the chain', () => {
  const problem = [`${RULES.certificate}, got "cert"`];
  for (const cert of ['', 'no PEM', own.private, GARBAGE, `${own.cert}\n${GARBAGE}`, own.cert.slice(0, -60)]) {
    expect(listProblems({ cert, key: own.private })).toEqual(problem);
  }
});

test('a key file that is none, empty or locked is rejected', () => {
  const locked = generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey.export(CIPHER) as string;
  for (const key of ['', 'no PEM', own.cert, locked, own.private.slice(0, -60)]) {
    expect(listProblems({ cert: own.cert, key })).toEqual([`${RULES.key}, got "key"`]);
  }
});

test('a key of another certificate is rejected', () => {
  expect(listProblems({ cert: own.cert, key: other.private })).toEqual([`${RULES.pair}, got "key"`]);
  expect(listProblems({ cert: `${other.cert}\n${own.cert}`, key: own.private })).toEqual([`${RULES.pair}, got "key"`]);
});

test('authorities are read one by one, and garbage among them is rejected', () => {
  for (const ca of ['', GARBAGE, `${own.cert}\n${GARBAGE}`, '-----BEGIN CERTIFICATE-----\n']) {
    expect(listProblems({ ca })).toEqual([`${RULES.authorities}, got "ca"`]);
  }
});

test('the process says all of it at once, without what is in the files, and ends with 64', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'drainshift-files-'));
  const files = ['cert', 'key', 'ca'].map((name) => path.join(folder, name));
  for (const file of files) writeFileSync(file, file.endsWith('key') ? '' : GARBAGE);
  const [cert, key, ca] = files as [string, string, string];
  const proxy = bundle.run([
    ...['--upstream', 'https://a.example', '--listen', 'nowhere', '--upstream-authorities-file', ca],
    ...['--tls-certificate-file', cert, '--tls-key-file', key],
  ]);
  expect(await proxy.exit).toBe(64);
  rmSync(folder, { recursive: true });
  expect(proxy.stderr().trimEnd().split('\n')).toEqual([
    `'listen' must be HOST:PORT, got "nowhere"`,
    `${RULES.authorities}, got "${ca}"`,
    `${RULES.certificate}, got "${cert}"`,
    `${RULES.key}, got "${key}"`,
  ]);
});

describe('authorities as text, as a secret puts them into the environment', () => {
  const VARIABLE = 'DRAINSHIFT_UPSTREAM_AUTHORITIES';

  test('are trusted by every worker, and without them the backend is not', async () => {
    const ca = await authority('The Company');
    const backend = https.createServer(await certificateFrom(ca, 'localhost'), (_, response) => response.end('ours'));
    await new Promise<void>((resolve) => backend.listen(0, '127.0.0.1', resolve));
    later(() => {
      backend.close();
      backend.closeAllConnections();
    });
    const upstream = `https://localhost:${(backend.address() as AddressInfo).port}`;
    const args = ['--listen', '127.0.0.1:0', '--upstream', upstream, '--workers', '2'];
    const ask = async (environment: Record<string, string>) => {
      const { port } = await listening(bundle.run(args, environment));
      return [await get({ port }), await get({ port }), await get({ port }), await get({ port })];
    };
    const [trusting, other] = await Promise.all([ask({ [VARIABLE]: `# ours\n${ca.cert}` }), ask({})]);
    expect(trusting).toEqual(trusting.map(() => expect.objectContaining({ status: 200, body: 'ours' }) as unknown));
    expect(other).toEqual(other.map(() => expect.objectContaining({ status: 502 }) as unknown));
  });

  test('that are none are rejected without telling them, and so are two of them', async () => {
    const args = ['--listen', '127.0.0.1:0', '--upstream', 'https://a.example'];
    const none = bundle.run(args, { [VARIABLE]: 'hunter2' });
    const both = bundle.run([...args, '--upstream-authorities-file', 'ca'], { [VARIABLE]: own.cert });
    expect([await none.exit, await both.exit]).toEqual([64, 64]);
    expect(none.stderr()).toContain('\'upstream_authorities\' must be PEM with certificates, got "7 characters"\n');
    expect(both.stderr()).toContain("'upstream_authorities' must be absent next to 'upstream_authorities_file', got");
  });
});
