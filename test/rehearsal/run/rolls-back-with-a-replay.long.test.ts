import { createHash } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import http, { IncomingMessage, Server } from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { RehearsalEvidence } from '../../../rehearsal/report/evidence';
import { Command, FREE_PORTS, synthesize, temporaryFolder } from '../command';

const KEYS = 50;
const WRITES = 10_000;
/** Between two writes to one key: all that a cutover consists of runs on this one machine. */
const PAUSE_MS = 300;

/** An application with a list for each key in its memory, which shares nothing with its other side. */
class App {
  readonly lists = new Map<string, number[]>();
  readonly known = new Set<string>();
  /** Of clients: what was replayed is not counted. */
  served = 0;
  replayed = 0;
  isWell = true;
  /** Before it responds to a replayed write. */
  delay: () => Promise<void> = () => Promise.resolve();
  private server: Server | undefined;

  async start(): Promise<string> {
    this.server = http.createServer((request, response) => {
      const pieces: Buffer[] = [];
      request.on('data', (piece: Buffer) => pieces.push(piece));
      request.on('end', () => {
        void this.respond(request, Buffer.concat(pieces).toString()).then(([status, text]) =>
          response.writeHead(status, { 'content-type': 'application/json' }).end(text),
        );
      });
    });
    await new Promise<void>((resolve) => this.server!.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.server?.closeAllConnections();
    this.server?.close();
  }

  private async respond({ method, url = '', headers }: IncomingMessage, body: string): Promise<[number, string]> {
    if (url === '/smoke') return [this.isWell ? 200 : 500, '{}'];
    if (url === '/digest') {
      if (method === 'OPTIONS') return [200, ''];
      const { epoch } = JSON.parse(body) as { epoch: number };
      return [200, JSON.stringify({ ok: true, epoch, digest: this.digest })];
    }
    const [, key] = /^\/lists\/(\w+)$/.exec(url) ?? [];
    if (method !== 'POST' || key === undefined) return [200, '{}'];
    const id = headers['x-drainshift-replay-id'];
    if (typeof id === 'string') {
      await this.delay();
      if (this.known.has(id)) return [200, '{}'];
      this.known.add(id);
      this.replayed += 1;
    } else this.served += 1;
    const list = this.lists.get(key) ?? [];
    list.push(Number(body));
    this.lists.set(key, list);
    return [200, '{}'];
  }

  get digest(): string {
    const all = [...this.lists].sort(([a], [b]) => (a < b ? -1 : 1));
    return createHash('sha256').update(JSON.stringify(all)).digest('hex');
  }
}

/** Writes one number after the other to each key, over connections that change, and counts for itself. */
class Writers {
  readonly acknowledged = new Map<string, number>();
  readonly rejected: number[] = [];
  isStopped = false;

  constructor(
    private readonly port: number,
    private readonly ca: Buffer,
  ) {}

  async run(): Promise<void> {
    await Promise.all(Array.from({ length: KEYS }, (_, at) => this.write(`k${at}`)));
  }

  private async write(key: string): Promise<void> {
    let agent = this.connect();
    for (let n = 0; !this.isStopped; n += 1) {
      // Some writes behind each other on one connection, and then another one.
      if (n % 7 === 6) {
        agent.destroy();
        agent = this.connect();
      }
      let status = await this.post(agent, key, n);
      // It was not forwarded: the same again.
      while (status === 503 && !this.isStopped) {
        this.rejected.push(status);
        await new Promise((resolve) => setTimeout(resolve, 100));
        status = await this.post(agent, key, n);
      }
      if (status !== 200) throw new Error(`a write must get 200 or 503, got ${status}`);
      this.acknowledged.set(key, n + 1);
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
    agent.destroy();
  }

  private connect(): https.Agent {
    return new https.Agent({ keepAlive: true, maxSockets: 1, ca: this.ca, servername: 'shop.example.com' });
  }

  private post(agent: https.Agent, key: string, n: number): Promise<number> {
    return new Promise((resolve, reject) => {
      const headers = { host: 'shop.example.com', 'content-type': 'text/plain' };
      const request = https.request(
        { host: '127.0.0.1', port: this.port, agent, method: 'POST', path: `/lists/${key}`, headers },
        (response) => {
          response.resume();
          response.on('end', () => resolve(response.statusCode ?? 0));
          response.on('error', reject);
        },
      );
      request.on('error', reject);
      request.end(String(n));
    });
  }
}

let folder: string;
let app: string;
let sides: { readonly source: App; readonly target: App };
let command: Command | undefined;

beforeAll(() => {
  folder = temporaryFolder();
  app = synthesize(folder, 'drain-then-shift', 's3');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
beforeEach(() => (sides = { source: new App(), target: new App() }));
afterEach(async () => {
  command?.signal('SIGKILL');
  await command?.ended;
  sides.source.stop();
  sides.target.stop();
});

async function start(): Promise<{ readonly writers: Writers; readonly writing: Promise<void>; readonly json: string }> {
  const [source, target] = [await sides.source.start(), await sides.target.start()];
  const plan = join(folder, 'replay.json');
  const replay = { toSource: 'to-source', toTarget: 'to-target', verifyPath: '/digest', catchUpSeconds: 30 };
  const switching = { pointOfNoReturn: 'replay', maxPauseMs: 20_000 };
  const file = {
    strategy: 'drainThenShift',
    smoke: [{ path: '/smoke', expectedStatus: 200 }],
    pollSeconds: 1,
    stages: [{ weights: { source: 0, target: 100 }, bakeSeconds: 900 }],
    switch: { ...switching, replay: { ...replay, timeoutMs: { transfer: 15_000, verify: 3_000 } } },
  };
  writeFileSync(plan, JSON.stringify(file));
  const json = join(folder, 'evidence.json');
  const traffic = ['--source', source, '--target', target, '--plan', plan, '--speed', '1', '--traffic', '0.2'];
  command = new Command(['rehearse', '--app', app, ...FREE_PORTS, ...traffic, '--wait-for-clients', '--json', json]);
  const [, ca, port] = /--cacert (\S+) --resolve \S+?:(\d+):127/.exec(await command.says(/(curl --cacert .*)\n/)) ?? [];
  const writers = new Writers(Number(port), readFileSync(ca!));
  return { writers, writing: writers.run(), json };
}

async function until(condition: () => boolean, writing: Promise<void>): Promise<void> {
  let isOver = false;
  void writing.finally(() => (isOver = true)).catch(() => undefined);
  while (!condition()) {
    if (isOver) return writing;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

test('a surprise behind ten thousand writes: the source has all of them, in their order, before it serves again', async () => {
  const { writers, writing, json } = await start();
  const { source, target } = sides;
  await until(() => target.served >= WRITES, writing);
  // The target was served by its own clients alone since the switch; the source has what the replay has brought.
  target.isWell = false;
  const before = source.served;
  await until(() => source.served >= before + 500, writing);
  writers.isStopped = true;
  await writing;
  const { output } = await command!.ended;
  const evidence = JSON.parse(readFileSync(json, 'utf8')) as RehearsalEvidence;
  if (evidence.outcome !== 'rolled-back')
    throw new Error(`it must roll back, got ${evidence.outcome}:\n${output.slice(-4_000)}`);
  expect(evidence.switches?.map(({ to, outcome }) => [to, outcome])).toEqual([
    ['target', 'commit'],
    ['source', 'commit'],
  ]);
  expect(source.replayed).toBeGreaterThanOrEqual(WRITES);
  for (const [key, count] of writers.acknowledged) {
    expect([key, source.lists.get(key)]).toEqual([key, Array.from({ length: count }, (_, n) => n)]);
  }
});

test('a source that is too slow for the rest gets no traffic, and the first write that it lacks is named', async () => {
  const { writers, writing } = await start();
  const { source, target } = sides;
  await until(() => target.served >= 500, writing);
  source.delay = () => new Promise((resolve) => setTimeout(resolve, 60_000).unref());
  target.isWell = false;
  const before = source.served;
  await command!.says(/(is the first that is missing)/);
  writers.isStopped = true;
  await writing;
  expect(source.served).toBe(before);
  command!.signal('SIGINT');
  await command!.ended;
});
