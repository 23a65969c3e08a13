import { ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Template } from 'aws-cdk-lib/assertions';
import { Vpc } from 'aws-cdk-lib/aws-ec2';
import { SessionStore } from '../../../lib';
import { newStack } from '../fixture';

const PASSWORD = 'a-password-of-a-test';
const SERVER = ['valkey-server', 'redis-server'].find((name) => spawnSync(name, ['--version']).status === 0);
if (SERVER === undefined) {
  process.stderr.write('skipped: test/lib/session-store-access, neither valkey-server nor redis-server is installed\n');
}
const withServer = SERVER === undefined ? test.skip : test;

/** What the user of a template may do, on a server of the engine itself. */
let folder: string;
let server: ChildProcess | undefined;
const sockets: net.Socket[] = [];

beforeAll(async () => {
  if (SERVER === undefined) return;
  const stack = newStack();
  new SessionStore(stack, 'Sessions', { vpc: new Vpc(stack, 'Vpc') });
  const [user] = Object.values(Template.fromStack(stack).findResources('AWS::ElastiCache::User'));
  const { UserName, AccessString } = (user as { Properties: Record<string, string> }).Properties;
  folder = mkdtempSync(join(tmpdir(), 'drainshift-sessions-'));
  const lines = [
    'port 0',
    `unixsocket ${join(folder, 'socket')}`,
    'save ""',
    'user default off',
    `user root on >${PASSWORD} ~* &* +@all`,
    `user ${UserName} ${AccessString?.replace(/^on/, `on >${PASSWORD}`)}`,
  ];
  writeFileSync(join(folder, 'server.conf'), `${lines.join('\n')}\n`);
  server = spawn(SERVER, [join(folder, 'server.conf')], { cwd: folder });
  let said = '';
  await new Promise<void>((ready, failed) => {
    server?.stdout?.on('data', (bytes: Buffer) => {
      said += bytes.toString();
      if (/ready to accept/i.test(said)) ready();
    });
    server?.once('exit', () => failed(new Error(said)));
  });
});

afterAll(async () => {
  for (const socket of sockets) socket.destroy();
  if (!server) return;
  const gone = new Promise((resolve) => server?.once('close', resolve));
  server.kill();
  await gone;
  rmSync(folder, { recursive: true, force: true });
});

/** A connection that sends a command, and gets the first line of what comes next. */
async function login(user: string) {
  const socket = net.connect(join(folder, 'socket'));
  sockets.push(socket);
  let pending = '';
  let wake: () => void = () => undefined;
  socket.on('data', (bytes: Buffer) => {
    pending += bytes.toString();
    wake();
  });
  const until = async (isThere: () => boolean) => {
    while (!isThere()) await new Promise<void>((resolve) => (wake = resolve));
  };
  const send = (...words: string[]) =>
    socket.write(
      [`*${words.length}`, ...words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}`), ''].join('\r\n'),
    );
  const ask = async (...words: string[]) => {
    pending = '';
    send(...words);
    await until(() => pending.endsWith('\r\n'));
    return pending.replace(/^\$\d+\r\n/, '').trim();
  };
  expect(await ask('AUTH', user, PASSWORD)).toBe('+OK');
  return { ask, heard: async (text: string) => until(() => pending.includes(text)) };
}

withServer.each([
  ['SUBSCRIBE', 'PUBLISH', 'socket.io#/#'],
  ['SSUBSCRIBE', 'SPUBLISH', 'socket.io#/#room#'],
  ['PSUBSCRIBE', 'PUBLISH', 'socket.io#/#*'],
])('its user hears by %s what it sends by %s, as adapters of socket.io do', async (subscribe, publish, channel) => {
  const [listener, sender] = [await login('sessions'), await login('sessions')];
  expect(await listener.ask(subscribe, channel)).toContain(channel);
  expect(await sender.ask(publish, channel, `a message of ${publish}`)).toBe(':1');
  await listener.heard(`a message of ${publish}`);
});

/** `undefined` for what is allowed. */
async function findRejection(...command: string[]): Promise<string | undefined> {
  const { ask } = await login('root');
  const response = await ask('ACL', 'DRYRUN', 'sessions', ...command);
  return /^\+?OK$/.test(response) ? undefined : response;
}

const ALLOWED = [
  // Adapters of socket.io count the servers, and clean up behind themselves.
  ...['PUBSUB NUMSUB a', 'PUBSUB SHARDNUMSUB a', 'UNSUBSCRIBE a', 'SUNSUBSCRIBE a', 'PUNSUBSCRIBE a'],
  // The stream adapter.
  ...['XADD a * b c', 'XREAD BLOCK 1 STREAMS a 0', 'XTRIM a MAXLEN 9'],
  // Stores of sessions, and limits of rates.
  ...[
    'GET a',
    'SET a b EX 9',
    'EXPIRE a 9',
    'DEL a',
    'MGET a b',
    'SCAN 0',
    'HSET a b c',
    'INCRBY a 1',
    'EVALSHA b 1 a',
  ],
  ...['EVAL return 1 a', 'MULTI', 'EXEC', 'WATCH a'],
  // What client libraries ask first.
  ...['HELLO 3', 'AUTH a b', 'INFO', 'CLIENT SETNAME a', 'CLIENT SETINFO LIB-NAME a', 'COMMAND', 'PING'],
  ...['CLUSTER SLOTS', 'CLUSTER SHARDS', 'CLUSTER NODES', 'READONLY', 'SELECT 0'],
];

const REFUSED = [
  ...['FLUSHALL', 'FLUSHDB', 'KEYS *', 'SWAPDB 0 1', 'MONITOR', 'SHUTDOWN', 'CONFIG GET a', 'CONFIG SET a b'],
  ...['ACL LIST', 'ACL SETUSER a', 'ACL GETUSER a', 'DEBUG SLEEP 1', 'CLIENT LIST', 'CLIENT KILL a', 'CLIENT PAUSE 1'],
  ...['REPLICAOF a 1', 'MIGRATE a 1 a 0 1', 'RESTORE a 0 b', 'MODULE LIST', 'SLOWLOG GET', 'LATENCY LATEST'],
  ...['BGSAVE', 'SAVE', 'CLUSTER RESET', 'CLUSTER FORGET a', 'FAILOVER'],
];

withServer(
  'it may do what applications do with sessions and messages, and nothing to the server or to other clients',
  async () => {
    // SETINFO is younger than some servers.
    const unknown = /unknown subcommand|[Uu]nknown command|not found/;
    for (const command of ALLOWED) {
      const rejection = await findRejection(...command.split(' '));
      if (rejection === undefined || !unknown.test(rejection))
        expect([command, rejection]).toEqual([command, undefined]);
    }
    for (const command of REFUSED) {
      expect([command, await findRejection(...command.split(' '))]).toEqual([
        command,
        expect.stringMatching(/no permissions/),
      ]);
    }
  },
);
