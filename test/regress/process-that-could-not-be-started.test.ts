import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { isProcess, signalChild } from '../../core/errors/signals';
import { ProxyBundle, bundleProxy } from '../proxy/support/proxy-process';
import { later, stopAll } from '../proxy/support/world';

let bundle: ProxyBundle;
beforeAll(() => (bundle = bundleProxy()));
afterEach(stopAll);
afterAll(() => bundle.remove());

/** A shell at the head of a process group, which has a part of its own to say after the proxy; its output once it is over. */
function inGroup(script: string, args: readonly string[]): Promise<string> {
  const shell = spawn('sh', ['-c', script, 'sh', ...args], { cwd: bundle.folder, detached: true });
  later(() => {
    if (isProcess(shell.pid) && shell.exitCode === null && shell.signalCode === null)
      process.kill(-shell.pid, 'SIGKILL');
  });
  let output = '';
  for (const stream of [shell.stdout, shell.stderr]) stream.on('data', (bytes: Buffer) => (output += bytes.toString()));
  return new Promise((resolve) => shell.once('close', (_, signal) => resolve(`${output}${signal ?? ''}`)));
}

test('workers for which there are no files end their proxy with the reason, and no one else', async () => {
  const proxy = [
    process.execPath,
    'proxy.js',
    '--listen',
    '127.0.0.1:0',
    '--upstream',
    'http://127.0.0.1:9',
    '--workers',
    '8',
  ];
  const output = await inGroup('ulimit -n 28; "$@"; echo "the shell goes on after $?"', proxy);
  expect(output).toMatch(/The proxy did not start: spawn .* EMFILE/);
  expect(output).toContain('the shell goes on after 1');
});

/** Starts a task of the rehearsal with all files in use, and ends it at once. */
const TASK = `
const { TaskProcess } = require(process.argv[1]);
const fs = require('node:fs');
const log = new (require('node:stream').PassThrough)();
const identity = { arn: 'a', serviceArn: 's', clusterArn: 'c', taskDefinitionArn: 't', ip: '127.0.0.1' };
const container = { name: 'n', image: 'i', folder: '.', command: ['node', '-v'], environment: {}, port: 1, stopTimeoutSeconds: 9 };
const files = [];
try { for (;;) files.push(fs.openSync('/dev/null')); } catch {}
const task = new TaskProcess(identity, container, { started() {}, ended() {}, log });
const killed = task.kill();
for (const file of files) fs.closeSync(file);
killed.then(() => { console.log(task.stoppedReason); process.exit(); });
`;

test('a task for which there are no files is reported as such, and its end costs no one else', async () => {
  const taskProcess = join(__dirname, '../../dist/rehearsal/tasks/task-process.js');
  const output = await inGroup('ulimit -n 60; "$@"; echo "the shell goes on after $?"', [
    process.execPath,
    '-e',
    TASK,
    taskProcess,
  ]);
  expect(output).toMatch(/CannotStartContainerError: spawn .* EMFILE/);
  expect(output).toContain('the shell goes on after 0');
});

test.each([undefined, 0, -1, Number.NaN])('nothing is sent to the id %s', (pid) => {
  const kill = jest.fn(() => true);
  expect(signalChild({ pid, kill }, 'SIGKILL')).toBe(false);
  expect(kill).not.toHaveBeenCalled();
});

test('a process that runs gets its signal', async () => {
  const child: ChildProcess = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
  expect(signalChild(child, 'SIGKILL')).toBe(true);
  expect(await new Promise((resolve) => child.once('exit', (_, signal) => resolve(signal)))).toBe('SIGKILL');
});
