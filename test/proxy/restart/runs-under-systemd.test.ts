import { ChildProcess, spawn } from 'node:child_process';
import { copyFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ProxyBundle, bundleProxy, isAlive, killAll } from '../support/proxy-process';
import { SECRET, callAdmin } from '../support/proxy-world';
import { get, later, startBackend, stopAll, until } from '../support/world';

let bundle: ProxyBundle;
beforeAll(() => void (bundle = bundleProxy()));
afterAll(() => bundle.remove());
afterEach(stopAll);

/**
 * What systemd does: it takes the sockets, starts the process with them, and reads its datagrams. Each is printed with the pid of its
 * sender's parent left out; a barrier is closed at once.
 */
const MANAGER = `
import array, json, os, socket, sys
folder, node, bundle, upstream = sys.argv[1:]
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
address = '%s/notify-%d' % (folder, os.getpid())
notify.bind(address)
data, admin = socket.create_server(('127.0.0.1', 0)), socket.create_server(('127.0.0.1', 0))
ports = data.getsockname()[1], admin.getsockname()[1]
print(json.dumps({'ports': ports}), flush=True)
child = os.fork()
if child == 0:
    fds = [os.dup(admin.fileno()), os.dup(data.fileno())]
    high = [os.dup2(fd, 50 + i) for i, fd in enumerate(fds)]
    for i, fd in enumerate(high): os.dup2(fd, 3 + i)
    env = {**os.environ, 'NOTIFY_SOCKET': address, 'LISTEN_PID': str(os.getpid()), 'LISTEN_FDS': '2', 'LISTEN_FDNAMES': 'admin:data'}
    os.execve(node, [node, bundle, '--listen', '127.0.0.1:%d' % ports[0], '--admin', '127.0.0.1:%d' % ports[1], '--upstream', upstream,
        '--grace-period-seconds', '1', '--propagation-seconds', '0'], env)
data.close(); admin.close()
print(json.dumps({'child': child}), flush=True)
while True:
    text, ancillary, flags, sender = notify.recvmsg(4096, 4096)
    for level, kind, bytes in ancillary:
        for fd in array.array('i', bytes[:len(bytes) - len(bytes) % 4]): os.close(fd)
    print(json.dumps({'words': text.decode().split('\\n')}), flush=True)
`;

interface Managed {
  readonly manager: ChildProcess;
  readonly words: string[];
  readonly child: number;
  readonly port: number;
  readonly admin: number;
}

async function startManaged(): Promise<Managed> {
  const backend = await startBackend((_, response) => response.end('source'));
  const args = [
    bundle.folder,
    process.execPath,
    path.join(bundle.folder, 'proxy.js'),
    `http://127.0.0.1:${backend.port}`,
  ];
  const manager = spawn('python3', ['-c', MANAGER, ...args], {
    env: { ...process.env, DRAINSHIFT_ADMIN_SECRET: SECRET },
  });
  const words: string[] = [];
  const found: { ports?: [number, number]; child?: number } = {};
  later(() => {
    for (const pid of [found.child, ...findMainPids(words), manager.pid]) killAll({ pid });
    manager.stdout.destroy();
    manager.stderr.destroy();
  });
  let pending = '';
  manager.stdout.on('data', (bytes: Buffer) => {
    const lines = (pending + bytes.toString()).split('\n');
    pending = lines.pop() ?? '';
    for (const line of lines) {
      const said = JSON.parse(line) as { words?: string[]; msg?: string };
      if (said.words) words.push(...said.words.filter((word) => !word.startsWith('BARRIER')));
      else if (said.msg === undefined) Object.assign(found, said);
    }
  });
  await until(() => words.includes('READY=1'));
  return { manager, words, child: found.child!, port: found.ports![0], admin: found.ports![1] };
}

function findMainPids(words: readonly string[]): number[] {
  return words.flatMap((word) => (word.startsWith('MAINPID=') ? [Number(word.slice(8))] : []));
}

test('systemd gives it its sockets, and hears of its start, a reload, the new main process and the end', async () => {
  const { words, child, port, admin } = await startManaged();
  expect(words).toEqual(['READY=1', `MAINPID=${child}`]);
  expect((await get({ port })).body).toBe('source');
  process.kill(child, 'SIGUSR2');
  await until(() => findMainPids(words).some((pid) => pid !== child));
  const next = findMainPids(words).find((pid) => pid !== child)!;
  const at = words.indexOf('RELOADING=1');
  expect(at).toBe(2);
  expect(words[at + 1]).toMatch(/^MONOTONIC_USEC=\d+$/);
  expect(words.slice(at + 2, at + 4)).toEqual(['READY=1', `MAINPID=${next}`]);
  expect((await get({ port })).body).toBe('source');
  expect((await callAdmin(admin, { path: '/drain-status' })).status).toBe(200);
  // The first process has nothing to stay for: its manager knows the next one.
  await until(() => words.lastIndexOf(`MAINPID=${next}`) > words.indexOf(`MAINPID=${next}`));
  process.kill(next, 'SIGTERM');
  await until(() => words.includes('STOPPING=1'));
  await until(() => !isAlive(next));
});

/** What the next process does about the one before, where it says this. */
const STOP_AS_IT_SERVES = `serving: () => process.kill(process.ppid, 'SIGTERM')`;
/** It stands still, so that it hears of the stop and of all that came behind it at one time. */
const STOP_IN_A_STANDSTILL = `serving: () => ['SIGSTOP', 'SIGTERM'].forEach((signal) => process.kill(process.ppid, signal)),
  known: () => process.kill(process.ppid, 'SIGCONT')`;

test.each([
  ['', STOP_AS_IT_SERVES],
  [', and is heard of late,', STOP_IN_A_STANDSTILL],
])('a stop that comes before systemd knows the new main process%s ends that, too', async (_, doing) => {
  const { words, child } = await startManaged();
  const code = path.join(bundle.folder, 'proxy.js');
  const kept = path.join(bundle.folder, 'kept.js');
  copyFileSync(code, kept);
  writeFileSync(
    code,
    `const send = process.send?.bind(process);
const doing = { ${doing} };
process.send = (message, ...more) => {
  const sent = send(message, ...more);
  doing[message.type]?.();
  return sent;
};
require(${JSON.stringify(kept)});`,
  );
  process.kill(child, 'SIGUSR2');
  await until(() => words.includes('STOPPING=1'));
  const next = findMainPids(words).find((pid) => pid !== child)!;
  await until(() => !isAlive(next) && !isAlive(child));
  copyFileSync(kept, code);
});
