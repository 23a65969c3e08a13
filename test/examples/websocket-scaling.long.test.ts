import { ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { WebSocket } from 'ws';
import { stopAll, later, until } from '../proxy/support/world';
import { firstLine } from '../support/first-line';
import { hasRedisServer, startRedisServer } from '../support/redis-server';
import { FREE_PORTS } from '../rehearsal/command';
import { install, link, pack, remove, ROOT, synthesize } from './support/installed';

const EXAMPLE = join(ROOT, 'examples/websocket-scaling');
const withStore = hasRedisServer('test/examples/websocket-scaling') ? test : test.skip;

afterEach(stopAll);

interface Replica {
  readonly url: string;
  readonly process: ChildProcess;
}

async function startReplica(name: string, store: string): Promise<Replica> {
  const env = { ...process.env, HOST: '127.0.0.1', PORT: '0', SERVER_NAME: name, VALKEY_URL: store, LEAVE_MS: '50' };
  const child = spawn(process.execPath, [join(EXAMPLE, 'server.ts')], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const exit = once(child, 'exit');
  later(async () => {
    child.kill('SIGKILL');
    await exit;
  });
  return { url: `127.0.0.1:${(await firstLine(child)).split(' ').pop()}`, process: child };
}

interface Message {
  readonly type: string;
  readonly server: string;
  readonly from?: string;
  readonly message_id?: number;
  readonly messages?: number;
  readonly entry?: string;
  readonly last?: string;
}

interface Person {
  readonly socket: WebSocket;
  readonly heard: Message[];
  readonly codes: number[];
}

async function connect({ url }: Replica, id: string, last?: string): Promise<Person> {
  const query = new URLSearchParams({ client_id: id, room: 'lobby', ...(last !== undefined && { last }) });
  const socket = new WebSocket(`ws://${url}/ws?${query.toString()}`);
  const person: Person = { socket, heard: [], codes: [] };
  socket.on('message', (data: Buffer) => person.heard.push(JSON.parse(data.toString()) as Message));
  socket.on('close', (code) => person.codes.push(code));
  later(() => socket.terminate());
  await until(() => person.heard.length > 0);
  return person;
}

const say = ({ socket }: Person, message_id: number) => socket.send(JSON.stringify({ message_id, text: 'hello' }));
const list = ({ heard }: Person, type: string) => heard.filter((message) => message.type === type);
const health = async ({ url }: Replica) => {
  const response = await fetch(`http://${url}/health`);
  return { code: response.status, ...((await response.json()) as object) };
};
const listIds = async ({ url }: Replica) => (await (await fetch(`http://${url}/connections`)).json()) as string[];

withStore(
  'a room is the same on every replica; who is asked to go goes on at another one, and nothing is lost or doubled',
  async () => {
    const { path, stop } = await startRedisServer();
    later(stop);
    const [one, two] = await Promise.all([startReplica('one', path), startReplica('two', path)]);
    const [ann, ben] = [await connect(one, 'ann'), await connect(two, 'ben')];
    expect([ann.heard[0], ben.heard[0]]).toMatchObject([
      { type: 'welcome', server: 'one', messages: 0 },
      { type: 'welcome', server: 'two', messages: 0 },
    ]);
    expect(await health(one)).toEqual({
      ...{ code: 200, status: 'healthy', server: 'one', connections: 1, redis_connected: true },
      ...{ memory_usage: expect.any(Number) as number, cpu_usage: expect.any(Number) as number },
    });

    say(ann, 1);
    say(ben, 1);
    await until(() => [ann, ben].every((each) => list(each, 'message').length === 2 && list(each, 'ack').length === 1));
    expect(list(ben, 'message').map(({ from }) => from)).toEqual(list(ann, 'message').map(({ from }) => from));

    one.process.kill('SIGTERM');
    await until(() => ann.codes.length === 1 && one.process.exitCode === 0);
    expect(ann.codes).toEqual([1012]);
    say(ben, 2);
    await until(() => list(ben, 'ack').length === 2);

    // What came meanwhile is sent after the welcome, and what was counted is known here.
    const again = await connect(two, 'ann', list(ann, 'message').at(-1)?.entry);
    expect(again.heard[0]).toMatchObject({ type: 'welcome', server: 'two', messages: 1 });
    await until(() => list(again, 'message').length === 1);
    expect(list(again, 'message')).toMatchObject([{ from: 'ben', message_id: 2 }]);
    // It does not know whether its first one was taken, and sends it again.
    say(again, 1);
    say(again, 2);
    await until(() => list(again, 'ack').length === 2);
    expect(list(again, 'ack').map(({ messages }) => messages)).toEqual([1, 2]);
    await until(() => list(ben, 'message').length === 4);
    expect(list(ben, 'message').filter(({ from }) => from === 'ann')).toHaveLength(2);

    expect((await listIds(two)).sort()).toEqual(['ann', 'ben']);
    again.socket.close(1000);
    await until(async () => (await listIds(two)).length === 1);
    expect((await connect(two, 'ann')).heard[0]).toMatchObject({ messages: 0 });

    // What a proxy says to a replica whose clients it asks to connect again.
    ben.socket.close(1001);
    await until(async () => (await listIds(two)).length === 1);
    const back = await connect(two, 'ben');
    expect(back.heard[0]).toMatchObject({ last_message_id: 2, messages: 2 });
  },
);

withStore('what is no message ends the connection, and what is no client gets none', async () => {
  const { path, stop } = await startRedisServer();
  later(stop);
  const replica = await startReplica('one', path);
  const person = await connect(replica, 'ann');
  person.socket.send('hello');
  await until(() => person.codes.length === 1);
  expect(person.codes).toEqual([1007]);
  const socket = new WebSocket(`ws://${replica.url}/ws?client_id=a%20b`);
  const [error] = (await once(socket, 'error')) as [Error];
  expect(error.message).toMatch(/400/);
});

test('its types are right, and Node.js can strip them', () => {
  const tsc = join(ROOT, 'node_modules/typescript-7/bin/tsc');
  const { status, stdout } = spawnSync(process.execPath, [tsc, '-p', EXAMPLE], { encoding: 'utf8' });
  expect([status, stdout]).toEqual([0, '']);
});

/** The plan of the example, with stages that are as short as a verdict allows. */
const SHORT = {
  stages: [
    { weights: { source: 50, target: 50 }, bakeSeconds: 90 },
    { weights: { source: 0, target: 100 }, bakeSeconds: 30 },
  ],
  smoke: [{ path: '/health', expectedStatus: 200 }],
};
const SHORTENED = ['--plan', 'plan.json', '--speed', '60', '--traffic', '0.5'];

withStore('a cutover moves all people to the target, and what they say on the way is heard once', async () => {
  const tarball = pack();
  const folder = install(tarball, EXAMPLE);
  later(() => remove(folder, dirname(tarball.path)));
  link(folder, '@aws-sdk/client-elastic-load-balancing-v2');
  // As npm does for the scripts of a package.
  mkdirSync(join(folder, 'bin'));
  symlinkSync(join(folder, 'node_modules/drainshift/dist/bin/drainshift.js'), join(folder, 'bin/drainshift'));
  chmodSync(join(folder, 'bin/drainshift'), 0o755);
  expect(synthesize(folder)).toMatchObject({ status: 0 });
  writeFileSync(join(folder, 'plan.json'), JSON.stringify(SHORT));
  const path = [join(folder, 'bin'), dirname(process.execPath), process.env.PATH].join(delimiter);
  const child = spawn(process.execPath, ['rehearse.js', ...SHORTENED, ...FREE_PORTS, '--map-port', '80=0'], {
    ...{ cwd: folder, env: { ...process.env, PATH: path }, stdio: ['ignore', 'pipe', 'pipe'] },
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes: Buffer) => (said += bytes.toString()));
  const [code] = (await once(child, 'close')) as [number];
  if (code !== 0) throw new Error(said);
  expect(said).toMatch(/a chat: source [\d,]+ right; target [\d,]+ right/);
  const [, people, heard] =
    /12 people in 3 rooms said (\d+) and heard (\d+) messages; 0 lost, 0 doubled/.exec(said) ?? [];
  expect([Number(people) > 0, Number(heard)]).toEqual([true, 4 * Number(people)]);
  expect(said).toContain('12 of them came from the source to the target, closed with 1012\n');
});
