import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { pieces, sha256 } from './support/bytes';
import { PAGE, startExpressApp } from './support/express-app';
import { ProxyCommand, problemsOnceAllIsOver, startProxyCommand } from './support/proxy-command';
import { later, stopAll } from '../support/world';

const { stdout: version } = spawnSync('curl', ['--version'], { encoding: 'utf8' }) as { stdout: string | null };
const hasCurl = version !== null;
const speaksHttp2 = /\bHTTP2\b/.test(version ?? '');
const withCurl = hasCurl ? test : test.skip;
const withHttp2 = speaksHttp2 ? test : test.skip;
if (!speaksHttp2)
  process.stderr.write('curl with HTTP/2 is not installed: its tests are skipped (apt-get install curl)\n');

const MIB = 2 ** 20;
const UPLOAD = [...pieces(4 * MIB)];

let plain: ProxyCommand;
let secure: ProxyCommand;
let folder: string;
let upload: string;

beforeAll(async () => {
  const app = await startExpressApp();
  [plain, secure] = await Promise.all([
    startProxyCommand(app.port),
    startProxyCommand(app.port, { flags: ['--tls', 'self-signed'] }),
  ]);
  folder = mkdtempSync(join(tmpdir(), 'drainshift-curl-'));
  later(() => rmSync(folder, { recursive: true }));
  upload = join(folder, 'upload');
  writeFileSync(upload, Buffer.concat(UPLOAD));
});
afterAll(stopAll);

const run = promisify(execFile);

/** Rejects when curl finds fault with a response. */
async function curl(...args: string[]): Promise<string> {
  return (await run('curl', ['--silent', '--show-error', '--noproxy', '*', ...args], { maxBuffer: 64 * MIB })).stdout;
}

const at = (path: string) => `http://127.0.0.1:${plain.port}${path}`;
const securely = (path: string) => `https://127.0.0.1:${secure.port}${path}`;

withCurl.each(['--http1.0', '--http1.1'])('%s: a file, its head, a part of it, and what is missing', async (http) => {
  expect(await curl(http, at('/files/page.html'))).toBe(PAGE);
  expect(await curl(http, '--head', at('/files/page.html'))).toMatch(
    new RegExp(`^content-length: ${PAGE.length}\r$`, 'im'),
  );
  expect(await curl(http, '--range', '10-19', at('/files/page.html'))).toBe(PAGE.slice(10, 20));
  expect(await curl(http, '--write-out', '%{http_code}', '--output', join(folder, 'out'), at('/absent'))).toBe('404');
});

withCurl('an upload that asks first, chunked or not, is whole', async () => {
  const whole = JSON.stringify({ bytes: 4 * MIB, sha256: sha256(UPLOAD) });
  expect(await curl('--upload-file', upload, '--header', 'Expect: 100-continue', at('/upload'))).toBe(whole);
  expect(await curl('--upload-file', upload, '--header', 'Transfer-Encoding: chunked', at('/upload'))).toBe(whole);
});

withCurl('a download is whole, and goes on where it was broken off', async () => {
  const out = join(folder, 'download');
  await curl('--output', out, at(`/download?length=${4 * MIB}`));
  expect(sha256([readFileSync(out)])).toBe(sha256(UPLOAD));
  const page = join(folder, 'page');
  writeFileSync(page, PAGE.slice(0, 100));
  await curl('--continue-at', '-', '--output', page, at('/files/page.html'));
  expect(readFileSync(page, 'utf8')).toBe(PAGE);
});

withCurl('a login with a cookie jar, redirects followed, and compressed responses', async () => {
  const jar = join(folder, 'jar');
  const me = await curl('--cookie-jar', jar, '--cookie', jar, '--location', '--data', 'user=ada', at('/login'));
  expect(JSON.parse(me)).toEqual({ user: 'ada' });
  expect(await curl('--compressed', at('/gzip'))).toBe(PAGE);
});

withCurl('one connection serves several addresses', async () => {
  const out = join(folder, 'several');
  const urls = [1, 2, 3].flatMap((id) => ['--output', `${out}${id}`, at(`/json?id=${id}`)]);
  expect(await curl('--write-out', '%{num_connects}', ...urls)).toBe('100');
});

withCurl('a response that the app breaks off is an error of curl’s', async () => {
  const { code } = await curl(at('/breaks')).then(
    () => ({ code: 0 }),
    (error: { code: number }) => error,
  );
  // 18: the body is not whole; 56: the connection was reset.
  expect([18, 56]).toContain(code);
});

withCurl('HTTPS with HTTP/1.1', async () => {
  expect(await curl('--insecure', '--http1.1', securely('/files/page.html'))).toBe(PAGE);
});

withHttp2('HTTPS with HTTP/2, many at a time on one connection', async () => {
  const used = await curl(
    '--insecure',
    '--write-out',
    '%{http_version}',
    '--output',
    join(folder, 'v'),
    securely('/json'),
  );
  expect(used).toBe('2');
  const whole = JSON.stringify({ bytes: 4 * MIB, sha256: sha256(UPLOAD) });
  expect(await curl('--insecure', '--upload-file', upload, securely('/upload'))).toBe(whole);
  const ids = Array.from({ length: 30 }, (_, index) => index);
  const urls = ids.flatMap((id) => ['--output', join(folder, `h2-${id}`), securely(`/download?length=${id * 1000}`)]);
  await curl('--insecure', '--parallel', ...urls);
  expect(ids.map((id) => readFileSync(join(folder, `h2-${id}`)).length)).toEqual(ids.map((id) => id * 1000));
});

withHttp2('HTTP/2 without TLS, by prior knowledge', async () => {
  expect(await curl('--http2-prior-knowledge', at('/files/page.html'))).toBe(PAGE);
});

withHttp2('an offer to switch to HTTP/2 without TLS is passed over', async () => {
  expect(await curl('--http2', at('/files/page.html'))).toBe(PAGE);
});

withCurl('nothing of all this is left, and none of it was an error', async () => {
  expect(await problemsOnceAllIsOver(plain)).toEqual([]);
  expect(await problemsOnceAllIsOver(secure)).toEqual([]);
});
