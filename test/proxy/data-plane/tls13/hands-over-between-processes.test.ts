import { ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import tls, { TLSSocket } from 'node:tls';
import { SUITES } from '../../../../proxy/data-plane/tls13/record-layer/traffic-keys';
import { until } from '../../../support/until';
import { Host, HostBundle, bundleHost } from './support/tls13-processes';

let bundle: HostBundle;
beforeAll(async () => {
  bundle = await bundleHost();
});
afterAll(() => bundle.remove());

/** By each process of the two, at least. */
const LINES = 20;
const CONNECTIONS = 10;

/** Sees the lines of a server: numbered, each once, in order, first by A and then by B. */
class Follower {
  count = 0;
  byNext = 0;
  error: Error | undefined;
  private rest = '';
  private waiting: (() => void)[] = [];

  take(text: string): void {
    const lines = (this.rest + text).split('\n');
    this.rest = lines.pop()!;
    for (const line of lines) {
      const name = line[0];
      if (Number.parseInt(line.slice(2), 10) !== this.count) this.fail(`expected ${this.count}, got ${line}`);
      if (name === 'A' && this.byNext > 0) this.fail('the first process spoke after the next');
      this.count += 1;
      if (name === 'B') this.byNext += 1;
    }
    for (const seen of this.waiting.splice(0)) seen();
  }

  fail(why: string): void {
    this.error ??= new Error(why);
    for (const seen of this.waiting.splice(0)) seen();
  }

  async untilCount(count: number): Promise<void> {
    while (this.count < count && this.error === undefined) await new Promise<void>((seen) => this.waiting.push(seen));
    if (this.error !== undefined) throw this.error;
  }
}

/** Sends numbered lines until it has seen enough of both processes. */
class Client extends Follower {
  /** @param ahead lines that it sends without their responses */
  constructor(
    readonly socket: TLSSocket,
    private readonly ahead: number,
  ) {
    super();
    socket.on('data', (bytes: Buffer) => this.take(bytes.toString('latin1')));
    socket.on('error', (error: Error) => this.fail(error.message));
    socket.on('close', () => this.fail('the connection was closed'));
  }

  async run(isOver: () => boolean): Promise<void> {
    for (let sent = 0; !isOver() || this.byNext < LINES; sent += 1) {
      const isFull = !this.socket.write(`${sent} ${'x'.repeat((sent * 7) % 3_000)}\n`);
      if (isFull) await once(this.socket, 'drain');
      await this.untilCount(sent + 1 - this.ahead);
    }
  }
}

async function connect(port: number, options: tls.ConnectionOptions): Promise<TLSSocket> {
  const socket = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options });
  await once(socket, 'secureConnect');
  return socket;
}

/** All go over, and the process that had them is killed at once. The next one ends with its last connection. */
async function handOver(
  host: Host,
): Promise<{ readonly gone: number; readonly rejected: Readonly<Record<string, number>> }> {
  const { rejected, proofs } = await host.handOver();
  host.kill();
  return { gone: Object.values(proofs).reduce((sum, count) => sum + count, 0), rejected };
}

test.each(SUITES.map(({ name }) => name))('%s: nothing is lost or doubled under traffic', async (ciphers) => {
  const host = await bundle.start();
  const clients = await Promise.all(
    Array.from({ length: CONNECTIONS }, async (_, n) => new Client(await connect(host.port, { ciphers }), n * 5)),
  );
  let isOver = false;
  const runs = Promise.all(clients.map((client) => client.run(() => isOver)));
  await Promise.race([runs, Promise.all(clients.map((client) => client.untilCount(LINES)))]);
  expect(await handOver(host)).toEqual({ gone: CONNECTIONS, rejected: {} });
  isOver = true;
  await runs;
  for (const { socket } of clients) socket.destroy();
});

const PYTHON = `
import socket, ssl, sys
context = ssl.create_default_context()
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE
connection = context.wrap_socket(socket.create_connection(('127.0.0.1', int(sys.argv[1]))))
lines = connection.makefile('rw', newline='\\n')
by_next = number = 0
while by_next < ${LINES}:
    lines.write(f'{number}\\n')
    lines.flush()
    line = lines.readline()
    print(line, end='', flush=True)
    by_next += line.startswith('B')
    number += 1
`;

/** A client that somebody else wrote: the lines that it gets, on its standard output. */
interface Foreign {
  readonly name: string;
  start(port: number): ChildProcess;
  /** Whether the test sends for it. */
  readonly isDriven?: boolean;
}

const FOREIGN: readonly Foreign[] = [
  { name: 'python3', start: (port) => spawn('python3', ['-c', PYTHON, `${port}`]) },
  {
    name: 'openssl',
    isDriven: true,
    start: (port) => spawn('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, '-brief']),
  },
  {
    name: 'curl',
    start: (port) => spawn('curl', ['-sSNk', '--http1.1', '--noproxy', '*', `https://127.0.0.1:${port}/`]),
  },
];
const installed = FOREIGN.filter(({ name }) => {
  const isInstalled = spawnSync(name, [name === 'openssl' ? 'version' : '--version']).status === 0;
  if (!isInstalled) process.stderr.write(`${name} is not installed: it is no client of this test\n`);
  return isInstalled;
});

test(`clients of others notice nothing: ${installed.map(({ name }) => name).join(', ')}`, async () => {
  const host = await bundle.start();
  const clients = installed.map(({ name, start, isDriven }) => {
    const child = start(host.port);
    const follower = new Follower();
    child.stdout!.on('data', (bytes: Buffer) => follower.take(bytes.toString('latin1')));
    if (name !== 'openssl') child.stderr!.on('data', (bytes: Buffer) => follower.fail(`${name}: ${bytes.toString()}`));
    let sent = 0;
    const drive = () => {
      if (isDriven !== true || sent > follower.count) return;
      child.stdin!.write(`${sent}\n`);
      sent += 1;
    };
    return { name, child, follower, drive };
  });
  const untilAll = (isTrue: (follower: Follower) => boolean) =>
    until(
      () => {
        for (const { drive } of clients) drive();
        return clients.every(({ follower }) => isTrue(follower));
      },
      () => clients.find(({ follower }) => follower.error !== undefined)?.follower.error?.message,
    );
  await untilAll(({ count }) => count >= LINES);
  expect(await handOver(host)).toEqual({ gone: clients.length, rejected: {} });
  await untilAll(({ byNext }) => byNext >= LINES);
  for (const { child } of clients) child.kill();
});

test('what cannot go over stays, and goes on', async () => {
  const host = await bundle.start();
  const http2 = await connect(host.port, { ALPNProtocols: ['h2'] });
  const old = new Client(await connect(host.port, { maxVersion: 'TLSv1.2' }), 0);
  const free = new Client(await connect(host.port, {}), 0);
  let isOver = false;
  const run = free.run(() => isOver);
  old.socket.write('0\n');
  await Promise.all([old.untilCount(1), free.untilCount(LINES)]);
  const { rejected, proofs } = await host.handOver();
  expect(rejected).toEqual({ applicationProtocol: 1, protocolVersion: 1 });
  expect(Object.values(proofs)).toEqual([1]);
  isOver = true;
  await run;
  old.socket.write('1\n');
  await old.untilCount(2);
  expect(old.byNext).toBe(0);
  for (const socket of [http2, old.socket, free.socket]) socket.destroy();
  host.kill();
});
