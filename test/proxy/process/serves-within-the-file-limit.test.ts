import { execFile, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { WebSocketServer } from 'ws';
import { ProxyBundle, bundleProxy, listening, logged, messages } from '../support/proxy-process';
import { get, later, startBackend, stopAll, until } from '../support/world';

const hasPython = spawnSync('python3', ['--version']).status === 0;
const withPython = hasPython ? test : test.skip;
if (!hasPython) process.stderr.write('python3 is not installed: the file limit is not tried with its client\n');

/** All ask at once. It writes how many got which status, or which error. */
const CLIENT = `
import collections, http.client, ssl, sys, threading
port, count, path, tls = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4] == 'tls'
seen, gate = collections.Counter(), threading.Barrier(count)
def ask():
    try:
        gate.wait()
        if tls:
            connection = http.client.HTTPSConnection('127.0.0.1', port, timeout=30, context=ssl._create_unverified_context())
        else:
            connection = http.client.HTTPConnection('127.0.0.1', port, timeout=30)
        headers = {} if path != '/ws' else {
            'Connection': 'Upgrade', 'Upgrade': 'websocket', 'Sec-WebSocket-Version': '13',
            'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ=='}
        connection.request('GET', path, headers=headers)
        answer = connection.getresponse()
        seen[f'{answer.status} {answer.getheader("Retry-After", "")}'.strip()] += 1
        if answer.status == 101: kept.append(connection)
        else: answer.read()
    except Exception as error:
        seen[type(error).__name__] += 1
kept = []
threads = [threading.Thread(target=ask) for _ in range(count)]
for thread in threads: thread.start()
for thread in threads: thread.join()
for status, number in sorted(seen.items()): print(f'{status}: {number}')
`;

let bundle: ProxyBundle;
beforeAll(() => (bundle = bundleProxy()));
afterEach(stopAll);
afterAll(() => bundle.remove());

async function startLimited(flags: string[] = [], environment: Record<string, string> = {}) {
  const backend = await startBackend((_, response) => void setTimeout(() => response.end('ok'), 100));
  new WebSocketServer({ server: backend.server });
  const args = ['--listen', '127.0.0.1:0', '--upstream', `http://127.0.0.1:${backend.port}`, ...flags];
  const proxy = bundle.run(args, environment, 256);
  return { ...(await listening(proxy)), proxy, backend };
}

/** By their status and Retry-After, or by their error. */
async function askTogether(port: number, count: number, path = '/', tls = ''): Promise<Record<string, number>> {
  const { stdout } = await promisify(execFile)('python3', ['-c', CLIENT, String(port), String(count), path, tls]);
  const lines = stdout.trim().split('\n');
  return Object.fromEntries(lines.map((line) => line.split(': ')).map(([key, value]) => [key!, Number(value)]));
}

withPython(
  'with 256 files, 180 at once are served or asked to come again, and no one is notified of a broken upstream',
  async () => {
    const { port, proxy } = await startLimited();
    const seen = await askTogether(port, 180);
    expect(Object.keys(seen).filter((key) => key !== '200' && key !== '503 2')).toEqual([]);
    expect(seen['200']).toBeGreaterThanOrEqual(91);
    expect((seen['200'] ?? 0) + (seen['503 2'] ?? 0)).toBe(180);
    expect(messages(proxy)[0]).toBe(
      "Few connections: the limit of open files ('ulimit -n') must be at least 2304 for 1000 connections on each side, got 256: 91 are accepted",
    );
    expect(messages(proxy).filter((message) => message.startsWith('Upstream failed'))).toEqual([]);
    // And afterwards it is as before.
    expect(await askTogether(port, 60)).toEqual({ '200': 60 });
  },
);

withPython('the same holds over TLS, and with WebSockets, which keep two files each', async () => {
  const secure = await startLimited(['--tls', 'self-signed']);
  const seen = await askTogether(secure.port, 120, '/', 'tls');
  expect(Object.keys(seen).filter((key) => key !== '200' && key !== '503 2')).toEqual([]);
  expect((seen['200'] ?? 0) + (seen['503 2'] ?? 0)).toBe(120);
  const plain = await startLimited();
  expect(await askTogether(plain.port, 120, '/ws')).toEqual({ '101': 91, '503 2': 29 });
});

/** At a signal it opens all files that it may, but for 5. */
const HOG = `
const fs = require('node:fs');
process.on('SIGUSR2', () => {
  const files = [];
  try { for (;;) files.push(fs.openSync('/dev/null')); } catch {}
  for (const file of files.slice(0, 5)) fs.closeSync(file);
  process.stdout.write('short of files\\n');
});
`;

test('where files are short all the same, a request waits for its connection as for its turn', async () => {
  const hog = join(bundle.folder, 'hog.js');
  writeFileSync(hog, HOG);
  const { port, proxy, backend } = await startLimited([], { NODE_OPTIONS: `--require ${hog}` });
  const agent = new http.Agent({ keepAlive: true });
  later(() => agent.destroy());
  const askAll = () => Promise.all(Array.from({ length: 15 }, () => get({ port, agent })));
  await askAll();
  backend.server.closeIdleConnections();
  await until(() => backend.sockets.size === 0);
  proxy.child.kill('SIGUSR2');
  await logged(proxy, /^short of files$/);
  expect((await askAll()).map(({ status }) => status)).toEqual(Array(15).fill(200));
  expect(backend.sockets.size).toBeLessThan(15);
});
