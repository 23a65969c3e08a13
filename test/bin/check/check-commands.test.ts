import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { echo, serve, serveFront, stopServers } from '../../check/servers';
import { Command, Ended, ROOT, run as runCommand } from '../../rehearsal/command';

afterEach(stopServers);

/** Without the progress, which a slow machine makes longer; and with time enough for such a machine. */
async function run(args: readonly string[]): Promise<Ended> {
  const { code, output } = await runCommand([...args, ...(args.includes('--url') ? ['--timeout', '300s'] : [])]);
  return { code, output: output.replace(/^\d+s {2}.*\n/gm, '') };
}

/** The command's JSON, of which nothing else is on its standard output. */
const read = (output: string) => JSON.parse(output.slice(output.indexOf('{'))) as Record<string, unknown>;

test('stickiness: who stayed, where, and the exit code', async () => {
  const [sticky, loose] = await Promise.all([serveFront(true), serveFront(false)]);
  const [held, broken, round, unnamed] = await Promise.all([
    run(['check', 'stickiness', '--url', `http://127.0.0.1:${sticky}/`]),
    run([
      'check',
      'stickiness',
      '--url',
      `http://127.0.0.1:${loose}/?token=1`,
      '--server-header',
      'X-Server',
      '--json',
    ]),
    run(['check', 'stickiness', '--url', `ws://127.0.0.1:${loose}/`, '--without-cookies', '--requests', '5']),
    run([
      'check',
      'stickiness',
      '--url',
      `http://127.0.0.1:${sticky}/`,
      '--server-field',
      '/nowhere',
      '--min-servers',
      '1',
    ]),
  ]);
  expect(held.output).toMatch(
    /^SERVER +RESPONSES +CLIENTS\nserver-\d +\d+ +\d+\nserver-\d +\d+ +\d+\n\n10 clients, 100 requests, 0 failed, 0 without the name of a server; cookies: AWSALB\n10 clients stayed \(100%\), 0 changed, 0 unproven\nheld: every threshold\n$/,
  );
  expect(held.code).toBe(0);
  expect([broken.code, read(broken.output)]).toEqual([
    1,
    expect.objectContaining({
      ...{ check: 'stickiness', verdict: 'broken', stopped: false, clients: 10, requests: 100 },
      // A query may hold a token.
      url: `http://127.0.0.1:${loose}/?…`,
      broken: [expect.objectContaining({ name: 'stayed', rule: 'at least 100% of the clients' })],
    }),
  ]);
  expect([round.code, round.output]).toEqual([0, expect.stringContaining('held: every threshold')]);
  expect([unnamed.code, unnamed.output]).toEqual([
    7,
    expect.stringContaining('unknown: 100 of 100 responses do not say which server they are of'),
  ]);
});

test('load: counts, latency, thresholds; more than a little of another host needs its name', async () => {
  const port = await serve({ onSocket: echo });
  const closing = await serve({ onSocket: (socket) => void socket.on('message', () => socket.close(1012)) });
  const url = `ws://127.0.0.1:${port}/`;
  const few = ['--connections', '5', '--messages', '3', '--interval', '10ms'];
  const foreign = ['check', 'load', '--url', 'ws://192.0.2.1/', '--connections', '101'];
  const [held, lost, rejected] = await Promise.all([
    run(['check', 'load', '--url', url, ...few]),
    run(['check', 'load', '--url', `ws://127.0.0.1:${closing}/`, ...few, '--json']),
    run(foreign),
  ]);
  expect(held.output).toMatch(
    /^connections {2}5 of 5 opened, 0 did not open, 0 dropped\nmessages {5}15 of 15 sent, 15 responses, 0 lost, 0 doubled, 0 out of order, 0 others\nlatency {6}p50 /,
  );
  expect(held.code).toBe(0);
  expect([lost.code, read(lost.output)]).toEqual([
    1,
    expect.objectContaining({
      ...{ opened: 5, dropped: 5, responded: 0, problems: [{ problem: 'closed with 1012', count: 5 }] },
      broken: [
        { name: 'dropped', rule: 'at most 0', got: '5' },
        { name: 'lost', rule: 'at most 0', got: expect.stringMatching(/^\d+$/) as string },
      ],
    }),
  ]);
  expect(rejected).toEqual({
    code: 64,
    output:
      "drainshift: '--connections' must be at most 100 for another host, got 101; '--i-own 192.0.2.1' says that it is yours to load\n",
  });
});

test('a check that takes long says how far it is, and one that is stopped prints what it has seen', async () => {
  const port = await serve({ onSocket: echo });
  const load = ['check', 'load', '--url', `ws://127.0.0.1:${port}/`, '--connections', '2', '--interval', '1h'];
  const [text, json] = [new Command([...load, '--messages', '3']), new Command([...load, '--messages', '3', '--json'])];
  for (const command of [text, json]) {
    await command.says(/^\d+s {2}2 of 2 connections opened, 0 failed, 2 of 6 messages sent, 2 responses$/m);
    command.signal('SIGINT');
  }
  const stopped = await text.ended;
  expect(stopped.output).toMatch(/^messages +2 of 6 sent, 2 responses, 0 lost/m);
  expect(stopped.output).toMatch(/^unknown: the check was stopped before its end$/m);
  expect(stopped.code).toBe(7);
  const { code, output } = await json.ended;
  expect([code, read(output)]).toEqual([7, expect.objectContaining({ verdict: 'unknown', stopped: true, sent: 2 })]);
});

test('websocket: each step as it is done', async () => {
  const port = await serve({ onSocket: echo });
  const url = `ws://127.0.0.1:${port}/`;
  const [text, json] = await Promise.all([
    run(['check', 'websocket', '--url', url, '--idle', '50ms']),
    run(['check', 'websocket', '--url', url, '--subprotocol', 'chat', '--expect', 'none', '--json']),
  ]);
  expect(text.output.split('\n').map((line) => line.split(' ')[0])).toEqual([
    ...['connect', 'handshake', 'echo', 'ping', 'idle', 'pingAfterIdle', 'close', 'held:', ''],
  ]);
  expect(text.code).toBe(0);
  expect(json.code).toBe(0);
  expect(read(json.output)).toMatchObject({ steps: { handshake: { subprotocol: 'chat' } } });
});

const hasPython = spawnSync('python3', ['--version']).status === 0;
if (!hasPython) process.stderr.write('SKIPPED: a health of a server of Python, python3 is not installed\n');

(hasPython ? test : test.skip)('health: of a server of Python, the field, the rule and the value', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'check-health-'));
  const health = { status: 'healthy', connections: 12, memory_usage: 1024, cpu_usage: 0.5, redis_connected: true };
  writeFileSync(join(folder, 'health'), JSON.stringify(health));
  const server = spawn('python3', ['-u', '-m', 'http.server', '0', '--bind', '127.0.0.1', '--directory', folder]);
  try {
    const [said] = (await once(server.stdout, 'data')) as [Buffer];
    const url = `http://127.0.0.1:${/port (\d+)/.exec(String(said))![1]}/health`;
    const [held, broken, absent] = await Promise.all([
      run(['check', 'health', '--url', url, '--interval', '100ms', '--duration', '250ms']),
      run(['check', 'health', '--url', url, '--rule', 'connections <= 10', '--rule', 'queue = 0', '--json']),
      run(['check', 'health', '--url', `${url}y`]),
    ]);
    expect(held.output).toMatch(
      /^(\S+Z {2}200 in [\d.]+ ms, status healthy, connections 12, memory_usage 1024, cpu_usage 0.5, redis_connected true\n){1,3}polls [123], bad 0\nheld: every threshold\n$/,
    );
    expect(held.code).toBe(0);
    expect([broken.code, read(broken.output)]).toEqual([
      1,
      expect.objectContaining({
        broken: [
          { name: 'connections', rule: '<= 10', got: '12' },
          { name: 'queue', rule: '= 0', got: 'nothing' },
        ],
      }),
    ]);
    expect(absent.output).toMatch(/^broken: 'HTTP status' must be from 200 to 299, got 404$/m);
  } finally {
    server.kill();
    rmSync(folder, { recursive: true });
  }
});

const WRONG = [
  [['load', '--url', 'http://127.0.0.1/'], "must be a URL of ws, wss, got one of 'http'"],
  [
    ['load', '--url', 'ws://user:secret@127.0.0.1/'],
    "must have no user and no password, got some: give them with '--header'",
  ],
  [['load', '--url', 'ws://127.0.0.1/', '--message', 'x'], "'--message' must have {n}"],
  [['load', '--url', 'ws://127.0.0.1/', '--max-p99', '250'], 'must be a time such as 250ms, 1.5s or 2m'],
  [['load', '--url', 'ws://127.0.0.1/', '--i-own', 'example.com'], "'--i-own' must be the host of '--url' (127.0.0.1)"],
  [['health', '--url', 'http://127.0.0.1/', '--rule', 'connections'], "must be 'FIELD OPERATOR VALUE'"],
  [
    ['health', '--url', 'http://127.0.0.1/', '--header', 'a b: secret'],
    "must be 'NAME: VALUE' of a header, got one named 'a b'",
  ],
  [
    ['health', '--url', 'http://127.0.0.1/', '--duration', '1s'],
    "'--duration' must be at least '--interval' (30000 ms), got 1000 ms",
  ],
  [['stickiness', '--url', 'http://127.0.0.1/', '--min-stayed', '101%'], "must be from 0% to 100%, got '101%'"],
  [
    ['stickiness', '--url', 'http://127.0.0.1/', '--cookies-from', 'http://[::1]/'],
    "must have the host of '--url' (127.0.0.1)",
  ],
  [['websocket', '--url', 'wss://127.0.0.1/', '--subprotocol', 'a b'], "must be a token, given once, got 'a b'"],
] as const;

test('wrong use is said, nothing is called, and no secret is shown', async () => {
  const ended = await Promise.all(WRONG.map(([args]) => run(['check', ...args])));
  ended.forEach(({ code, output }, at) => {
    expect([code, output]).toEqual([64, expect.stringContaining(WRONG[at]![1])]);
    expect(output).not.toContain('secret');
  });
});

test('the page of the checks has every flag of each', async () => {
  const page = readFileSync(join(ROOT, 'docs/checks.md'), 'utf8');
  const { output } = await run(['check', '--help']);
  const names = [...output.matchAll(/^ {2}(\w+) \[options\]/gm)].map(([, name]) => name!);
  expect(names).toEqual(expect.arrayContaining(['stickiness', 'load', 'health', 'state', 'websocket']));
  const helps = await Promise.all(names.map((name) => run(['check', name, '--help'])));
  const sections = page.split(/^## /m);
  const shared = sections.find((part) => part.startsWith('What all of them take'))!;
  helps.forEach((help, at) => {
    const flags = [...help.output.matchAll(/^ {2}(--[\w-]+)/gm)].map(([, flag]) => flag!);
    const own = sections.find((part) => part.includes(`\ndrainshift check ${names[at]!}`)) ?? '';
    expect([names[at], flags.filter((flag) => !`${own}${shared}`.includes(`\`${flag}`))]).toEqual([names[at], []]);
  });
});
