import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'iovalkey';
import { WebSocket } from 'ws';
import { echo, serve, stopServers } from '../../check/servers';
import { SECRET, startTestProxy } from '../../proxy/support/proxy-world';
import { stopAll } from '../../proxy/support/world';
import { Ended, run as runCommand } from '../../rehearsal/command';
import { hasRedisServer, startRedisServer } from '../../support/redis-server';

/** Without the progress, which a slow machine makes longer; and with time enough for such a machine. */
async function run(args: readonly string[]): Promise<Ended> {
  const { code, output } = await runCommand([...args, '--timeout', '300s']);
  return { code, output: output.replace(/^\d+s {2}.*\n/gm, '') };
}

const PASSWORD = 'DRAINSHIFT_STORE_PASSWORD';

afterEach(async () => {
  delete process.env.DRAINSHIFT_ADMIN_SECRET;
  delete process.env[PASSWORD];
  await stopServers();
  await stopAll();
});

(hasRedisServer('drainshift check state') ? test : test.skip)(
  'state: keys, live connections of a list and of a proxy, exit codes, and no password anywhere',
  async () => {
    const server = await startRedisServer();
    const redis = new Redis({ path: server.path });
    const folder = mkdtempSync(join(tmpdir(), 'check-state-'));
    try {
      await redis.mset({ 'connection:a': 'server-1', 'connection:b': 'server-2', 'state:a': '1', 'state:x': '1' });
      const port = await serve({ onRequest: (_, response) => response.end('["a","b"]'), onSocket: echo });
      const proxy = await startTestProxy(port);
      const sockets = ['a', 'new'].map((id) => new WebSocket(`ws://127.0.0.1:${proxy.data.port}/ws/${id}`));
      await Promise.all(sockets.map((socket) => once(socket, 'open')));
      process.env.DRAINSHIFT_ADMIN_SECRET = SECRET;
      await redis.config('SET', 'requirepass', 'geheim');
      const file = join(folder, 'password');
      writeFileSync(file, 'geheim\n');
      const store = ['check', 'state', '--store', `unix:${server.path}`];
      const withPassword = [...store, '--store-password-file', file, '--settle', '50ms'];
      const admin = ['--admin', `127.0.0.1:${proxy.admin!.port}`, '--id-field', 'path'];
      const url = `http://127.0.0.1:${port}/`;
      const [list, ofProxy, keys, locked, gone] = await Promise.all([
        run([...withPassword, '--connections-url', url]),
        run([...withPassword, ...admin, '--id-pattern', '^/ws/(.+)$', '--json']),
        run([...withPassword, '--max-state-without-connection', '1']),
        run(store),
        run([...withPassword, '--admin', '127.0.0.1:1']),
      ]);
      expect(list).toEqual({
        code: 1,
        output: [
          'state keys              2',
          'connection keys         2 (server-1 1, server-2 1)',
          'live connections        2',
          'orphans                 0',
          'missing                 0',
          'doubled                 0',
          'stateWithoutConnection  1: x',
          'connectionWithoutState  1: b',
          "broken: 'stateWithoutConnection' must be at most 0, got 1 (x)",
          '',
        ].join('\n'),
      });
      expect([ofProxy.code, JSON.parse(ofProxy.output)]).toEqual([
        1,
        expect.objectContaining({
          ...{ check: 'state', url: `unix:${server.path}`, verdict: 'broken', liveConnections: 2 },
          ...{ orphans: { count: 1, ids: ['b'] }, missing: { count: 1, ids: ['new'] } },
        }),
      ]);
      expect([keys.code, keys.output]).toEqual([0, expect.stringMatching(/^orphans +not compared$/m)]);
      expect(locked).toEqual({
        code: 7,
        output: 'unknown: the store must respond, got NOAUTH Authentication required.\n',
      });
      expect([gone.code, gone.output]).toEqual([
        7,
        expect.stringMatching(/^unknown: 127.0.0.1:1 must list its connections, got /),
      ]);
      for (const socket of sockets) socket.terminate();
    } finally {
      await redis.quit();
      await server.stop();
      rmSync(folder, { recursive: true });
    }
  },
);

const WRONG = [
  [['redis://user:secret@127.0.0.1/'], `'--store' must have no password, got one: give it by ${PASSWORD}`],
  [['secret'], "'--store' must be a URL of redis:, rediss:, valkey:, valkeys:, unix: with a host or a path"],
  [['redis://127.0.0.1/x'], "'--store' must end in the number of a database, got 'x'"],
  [['redis://app@127.0.0.1/'], `'${PASSWORD}' must be set where the store has a user, got none`],
  [
    ['redis://127.0.0.1/', '--state-keys', 'none'],
    "two of '--state-keys', '--connection-keys' and the live connections",
  ],
  [['redis://127.0.0.1/', '--compare', 'counts'], "'--compare counts' must have '--connections-url' or '--admin'"],
  [['redis://127.0.0.1/', '--state-keys', '*'], "must be a pattern with one '*' where the id of the connection is"],
] as const;

test('wrong use is said, nothing is called, and no password is shown', async () => {
  const ended = await Promise.all(WRONG.map(([args]) => run(['check', 'state', '--store', ...args])));
  ended.forEach(({ code, output }, at) => {
    expect([code, output]).toEqual([64, expect.stringContaining(WRONG[at]![1])]);
    expect(output).not.toContain('secret');
  });
});
