import { ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { findChildren, isAlive, kill } from '../proxy/support/proxy-process';
import { get, later, startBackend, stopAll, until } from '../proxy/support/world';

afterEach(stopAll);

const COMMAND = join(__dirname, '../../dist/bin/drainshift.js');

interface Launched {
  readonly child: ChildProcess;
  readonly port: number;
  readonly log: () => string;
  readonly exit: Promise<number | null>;
}

/** `drainshift proxy` at the head of a process group, as a terminal starts it. */
async function launch(upstreamPort: number): Promise<Launched> {
  const args = ['--listen', '127.0.0.1:0', '--upstream', `http://127.0.0.1:${upstreamPort}`];
  const child = spawn(process.execPath, [COMMAND, 'proxy', ...args, '--propagation-seconds', '0'], { detached: true });
  let proxies: number[] = [];
  later(() => [...proxies, ...findChildren(child), child.pid].forEach(kill));
  let log = '';
  child.stdout.on('data', (bytes: Buffer) => (log += bytes.toString()));
  child.stderr.on('data', (bytes: Buffer) => (log += bytes.toString()));
  const exit = new Promise<number | null>((resolve) => child.once('close', resolve));
  await until(
    () => /"data":"127.0.0.1:\d+"/.test(log),
    () => (child.exitCode === null ? undefined : `exit code ${child.exitCode}: ${log}`),
  );
  proxies = findChildren(child);
  return { child, port: Number(/"data":"127.0.0.1:(\d+)"/.exec(log)?.[1]), log: () => log, exit };
}

/** The fields of `stat` behind the name in brackets: state, parent, group. */
function findGroup(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ')[2]);
}

async function launchWithRequest() {
  const pending: ServerResponse[] = [];
  const backend = await startBackend((_, response) => void pending.push(response));
  const launched = await launch(backend.port);
  const got = get({ port: launched.port }).catch((error: Error) => error.message);
  await until(() => pending.length === 1);
  return { ...launched, got, response: () => pending[0]!.end('whole') };
}

test('Ctrl-C, which a terminal sends to the whole group, lets the proxy drain', async () => {
  const { child, log, exit, got, response } = await launchWithRequest();
  // A second signal could also come too late to be seen below; with the proxy out of the group there is none.
  expect(findGroup(findChildren(child)[0]!)).not.toBe(child.pid);
  process.kill(-child.pid!, 'SIGINT');
  await until(() => log().includes('Graceful shutdown: grace period') || child.exitCode !== null);
  response();
  expect(await got).toMatchObject({ status: 200, body: 'whole' });
  expect(await exit).toBe(0);
  expect(log()).not.toContain('Second signal');
});

test('Ctrl-C again, later, ends it at once', async () => {
  const { child, log, exit, got } = await launchWithRequest();
  process.kill(-child.pid!, 'SIGINT');
  await until(() => log().includes('Graceful shutdown: grace period'));
  const again = setInterval(() => process.kill(-child.pid!, 'SIGINT'), 50);
  later(() => clearInterval(again));
  await until(() => log().includes('Second signal'));
  clearInterval(again);
  expect(await exit).toBe(1);
  await got;
});

test('a command that is killed leaves no proxy behind: it lets its requests end, and ends', async () => {
  const { child, log, exit, got, response } = await launchWithRequest();
  const [proxy] = findChildren(child) as [number];
  child.kill('SIGKILL');
  await until(() => log().includes('Graceful shutdown: grace period'));
  response();
  expect(await got).toMatchObject({ status: 200, body: 'whole' });
  // Behind the last word of the proxy, which has the streams of the command.
  await exit;
  await until(() => !isAlive(proxy));
  expect(log()).toContain('Graceful shutdown: grace period ends');
});

test('its process has the options of the image', async () => {
  const { child } = await launch(1);
  const [proxy] = findChildren(child);
  expect(readFileSync(`/proc/${proxy}/cmdline`, 'utf8').split('\0')).toContain('--max-semi-space-size=4');
});
