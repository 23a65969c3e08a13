import { copyFileSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ProxyBundle, bundleProxy, isAlive, logged, messages } from '../proxy/support/proxy-process';
import { findPid, restart, startRestartable } from '../proxy/support/restart-world';
import { get, later, stopAll, until } from '../proxy/support/world';

// SIGTERM in the moment in which one generation takes over from another killed the one that served, and the first process did not wait for
// its workers: the connections that had gone over ended with the container, and the exit code was 1. One that had not taken over yet kept
// the signal, took over, and ended the whole proxy.
let bundle: ProxyBundle;
beforeAll(() => {
  bundle = bundleProxy();
  copyFileSync(code(), kept());
});
afterEach(() => copyFileSync(kept(), code()));
afterAll(() => bundle.remove());
afterEach(stopAll);

const kept = () => path.join(bundle.folder, 'kept.js');
const code = () => path.join(bundle.folder, 'proxy.js');

/**
 * Code of the next generation, whose primary does this when it hears such a message of the one before. That it serves, and that the proxy is to
 * end, are read together there.
 */
function deploy(type: string, does: string, together = false): void {
  writeFileSync(
    code(),
    `const isPrimary = process.env.DRAINSHIFT_WORKER_NUMBER === undefined;
const on = process.on.bind(process);
process.on = (name, hear) => on(name, name !== 'message' || !isPrimary ? hear : (message) => {
  if (message.type === '${type}') { ${does} }
  hear(message);
});
const send = process.send?.bind(process);
let serving;
if (isPrimary && send) process.send = (message, ...more) => {
  if (message.type === 'serving' && ${together}) return void (serving = message);
  if (message.type !== 'shutDown' || !serving) return send(message, ...more);
  process.kill(process.ppid, 'SIGSTOP');
  send(serving);
  send(message, ...more);
  process.kill(process.ppid, 'SIGCONT');
};
require(${JSON.stringify(kept())});`,
  );
}

function makeFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'drainshift-signal-'));
  later(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A process that is not there any more was collected by the one that it was left to, a little later. */
async function nothingIsLeft(lines: readonly { readonly pid?: number }[], folder: string): Promise<void> {
  const pids = new Set(lines.flatMap(({ pid }) => pid ?? []));
  await until(() => [...pids].every((pid) => !isAlive(pid)));
  expect(readdirSync(folder)).toEqual([]);
}

test.each([
  ['the generation that takes over', `process.kill(process.pid, 'SIGTERM');`, true],
  ['the first process', `process.kill(process.ppid, 'SIGTERM');`, false],
] as const)('a signal to %s in a takeover ends the proxy in order', async (_, does, isTogether) => {
  const folder = makeFolder();
  const { proxy, admin } = await startRestartable(bundle, {}, undefined, { TMPDIR: folder });
  deploy('takeOver', does, isTogether);
  // By then it may shut down.
  expect([202, 409]).toContain((await restart({ admin })).status);
  expect(await proxy.exit).toBe(0);
  const next = findPid(proxy, 2);
  expect(
    proxy.lines.filter(({ pid, msg }) => pid === next && msg === 'Graceful shutdown: grace period ends'),
  ).toHaveLength(1);
  await nothingIsLeft(proxy.lines, folder);
});

test('one to a generation that has not taken over ends that alone', async () => {
  const { proxy, port, admin } = await startRestartable(bundle);
  deploy('inheritance', `process.kill(process.pid, 'SIGTERM');`);
  const { status, body } = await restart({ admin });
  expect({ status, body }).toMatchObject({
    status: 500,
    body: expect.stringContaining('it was told to end before it took over') as unknown,
  });
  expect((await get({ port })).body).toBe('source');
  copyFileSync(kept(), code());
  expect((await restart({ admin })).status).toBe(202);
  expect(messages(proxy).filter((msg) => msg.startsWith('Graceful shutdown'))).toEqual([]);
});

test('one to the first process before that gives the restart up, and says so', async () => {
  const folder = makeFolder();
  const { proxy, admin } = await startRestartable(bundle, {}, undefined, { TMPDIR: folder });
  deploy('inheritance', `process.kill(process.ppid, 'SIGTERM'); return;`);
  const { status, body } = await restart({ admin });
  expect({ status, body }).toMatchObject({
    status: 409,
    body: expect.stringContaining('The proxy shuts down') as unknown,
  });
  await logged(proxy, /^The restart was given up, as the proxy shuts down/);
  expect(await proxy.exit).toBe(0);
  expect(messages(proxy).filter((msg) => msg.startsWith('The restart failed'))).toEqual([]);
  await nothingIsLeft(proxy.lines, folder);
});

test('one to a canary takes it back', async () => {
  const { proxy, port, admin } = await startRestartable(bundle);
  expect((await restart({ admin }, { share: 0.5 })).status).toBe(202);
  const { canary } = (await logged(proxy, /^A canary has a share/)) as { readonly canary?: number };
  process.kill(canary!, 'SIGTERM');
  await logged(proxy, /^The canary has ended/);
  expect((await get({ port })).body).toBe('source');
  expect(messages(proxy).filter((msg) => msg.startsWith('Graceful shutdown'))).toEqual([]);
});
