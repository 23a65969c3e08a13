import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import http2 from 'node:http2';
import net from 'node:net';
import { ProxyBundle, bundleProxy, kill, listening } from '../../support/proxy-process';
import { callAdmin } from '../../support/proxy-world';
import { get, later, startBackend, stopAll, until } from '../../support/world';

const hasPython = spawnSync('python3', ['--version']).status === 0;
const withPython = hasPython ? test : test.skip;
if (!hasPython) process.stderr.write('python3 is not installed: no independent client tries the memory budget\n');

const MIB = 2 ** 20;
const BUDGET = 12 * MIB;
/** What a process takes beyond: what it has thrown away, and the buffers of its libraries. */
const BEYOND = 12;
/** A client with connections of its own, one after the other: a line for the status of each, or for its error. */
const CLIENT = `
import http.client, sys, time
while True:
    try:
        connection = http.client.HTTPConnection('127.0.0.1', int(sys.argv[1]))
        connection.request('GET', '/small')
        print(connection.getresponse().status, flush=True)
        connection.close()
    except Exception as error:
        print(type(error).__name__, flush=True)
    time.sleep(0.02)
`;

let bundle: ProxyBundle;
beforeAll(() => (bundle = bundleProxy()));
afterEach(stopAll);
afterAll(() => bundle.remove());

/** Raw bytes that are sent, and nothing of the responses is read. */
function attack(port: number, bytes: string): void {
  const socket = net.connect(port, '127.0.0.1', () => socket.write(bytes));
  socket.pause();
  socket.on('error', () => undefined);
  later(() => void socket.destroy());
}

/** 120 streams, of which nothing is read. */
function attackHttp2(port: number): void {
  const session = http2.connect(`http://127.0.0.1:${port}`, { settings: { initialWindowSize: 1024 } });
  session.on('error', () => undefined);
  later(() => session.destroy());
  for (let n = 0; n < 120; n += 1) {
    const stream = session.request({ ':path': '/large' });
    stream.on('error', () => undefined);
    stream.pause();
  }
}

const HOSTILE: [string, number, (port: number) => void][] = [
  ['readers that do not read', 20, (port) => attack(port, 'GET /large HTTP/1.1\r\nHost: a\r\n\r\n')],
  ['heads that do not end', 20, (port) => attack(port, `GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(60_000)}`)],
  ['requests sent far ahead', 20, (port) => attack(port, 'GET /never HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(4_000))],
  ['HTTP/2 with 120 streams that no one reads', 1, attackHttp2],
];

function residentBytes(pid: number): number {
  return 1024 * Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
}

withPython.each(HOSTILE)('%s are kept within the budget, and others are served', async (_kind, count, hostile) => {
  const large = Buffer.alloc(4 * MIB, 'x');
  const backend = await startBackend((request, response) => {
    if (request.url !== '/never') response.end(request.url === '/large' ? large : 'ok');
  });
  const upstream = `http://127.0.0.1:${backend.port}`;
  const flags = ['--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--upstream', upstream];
  const proxy = bundle.run([...flags, '--memory-bytes', String(BUDGET)]);
  const { port, admin } = await listening(proxy);
  const pid = proxy.child.pid!;
  await get({ port });
  const before = residentBytes(pid);
  const seen: string[] = [];
  const served = () => seen.filter((status) => status === '200').length;
  const client = spawn('python3', ['-c', CLIENT, String(port)]);
  later(() => kill(client.pid));
  client.stdout.on('data', (text: Buffer) => seen.push(...(text.toString().match(/\w+/g) ?? [])));
  await until(() => served() >= 5);
  const shed = async () =>
    Number(/shed_total\{side="source"\} (\d+)/.exec((await callAdmin(admin, { path: '/metrics' })).body)?.[1]);
  let max = 0;
  let servedBefore = served();
  while ((await shed()) === 0 || served() < servedBefore + 10) {
    for (let n = 0; n < count; n += 1) hostile(port);
    await new Promise((resolve) => setTimeout(resolve, 100));
    max = Math.max(max, residentBytes(pid));
    // Meanwhile is what counts, not before.
    if ((await shed()) === 0) servedBefore = served();
  }
  expect(seen.filter((status) => status !== '200' && status !== '503')).toEqual([]);
  expect(max - before).toBeLessThan(BEYOND * BUDGET);
  // With the attack at its end there is room again.
  for (;;) {
    const { status, body } = await get({ port, path: '/.drainshift/health' }).catch(() => ({ status: 0, body: '' }));
    const { memory_held: held = Infinity, memory_budget } = (status === 200 ? JSON.parse(body) : {}) as Record<
      string,
      number
    >;
    if (status === 200) expect(memory_budget).toBe(BUDGET);
    if (held < BUDGET) break;
  }
});
