import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { CheckpointAction } from '../../core/state/checkpoint';
import type { Side } from '../../core/traffic/weights';
import { APPLICATION_PORT } from '../../rehearsal/hosts/host-options';
import { Hosts, startHosts } from '../../rehearsal/hosts/hosts';
import { findCriu } from '../../rehearsal/hosts/requirements';
import { sendSignal } from '../../rehearsal/processes/signal';

/** Real processes are dumped and restored, where that can be done: skipped with the reason elsewhere. */
const APPLICATIONS = resolve(__dirname, '../../bench/checkpoint/applications');
const PLAN = {
  documentName: 'checkpoint',
  source: { instanceId: 'i-00000001' },
  target: { instanceId: 'i-00000002' },
  verifyPath: undefined,
};
const folder = mkdtempSync(join(tmpdir(), 'drainshift-test-'));
const python = findPython();
const missing = findMissing();
const started: Hosts[] = [];
let epoch = 0;

function findMissing(): string | undefined {
  try {
    findCriu();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** The interpreter itself: a shim of a version manager would be another process. */
function findPython(): string | undefined {
  const { status, stdout } = spawnSync('python3', ['-c', 'import sys; print(sys.executable)'], { encoding: 'utf8' });
  return status === 0 ? stdout.trim() : undefined;
}

if (missing !== undefined) process.stderr.write(`SKIPPED: checkpoints of real processes: ${missing}\n`);

afterEach(async () => {
  for (const hosts of started.splice(0)) await hosts.stop();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function start(command: readonly string[], more: readonly string[] = [], criu = findCriu()): Promise<Hosts> {
  const application = [...command, `${APPLICATION_PORT}`, '20', ...more];
  const hosts = await startHosts({ criu, plan: PLAN, application });
  started.push(hosts);
  epoch += 1;
  return hosts;
}

const NODE = [process.execPath, join(APPLICATIONS, 'node.mjs')];

/** CRIU, but for the dump: it is killed once pages are written, or finds no room for them. */
function breakDump(how: string): string {
  const file = join(folder, `criu ${how}`.replaceAll(' ', '-'));
  const broken =
    how === 'finds no room'
      ? `trap '' XFSZ; ulimit -f 1000; exec "${findCriu()}" "$@"`
      : `"${findCriu()}" "$@" & until [ -s "$5"/pages-1.img ]; do :; done; kill -9 $!; wait $!`;
  writeFileSync(file, `#!/bin/bash\n[ "$1" = dump ] || exec "${findCriu()}" "$@"\n${broken}\n`, { mode: 0o700 });
  return file;
}

interface Response {
  readonly ok: boolean;
  readonly why?: string;
  readonly bytes?: number;
}

/** @param more parameters in place of those of the epoch */
async function call(hosts: Hosts, side: Side, action: CheckpointAction, more: object = {}): Promise<Response> {
  const until = `${Math.floor(Date.now() / 1000) + 60}`;
  const behind = action === 'resume' || action === 'discard' ? 'yes' : 'no';
  const parameters = { action, side, copy: 'copy', epoch: `${epoch}`, until, behind, ...more };
  const { id } = hosts.commands.send({ documentName: 'checkpoint', instanceId: PLAN[side].instanceId, parameters });
  for (;;) {
    const record = hosts.commands.find(id, PLAN[side].instanceId)!;
    if (record.status !== 'InProgress') return JSON.parse(record.output) as Response;
    await pause(10);
  }
}

/** @returns undefined where nothing responds */
async function get<T>(hosts: Hosts, side: Side, path: string): Promise<T | undefined> {
  try {
    return (await (await fetch(`${hosts.urls[side]}${path}`, { signal: AbortSignal.timeout(2_000) })).json()) as T;
  } catch {
    return undefined;
  }
}

async function count(hosts: Hosts, side: Side, session: string): Promise<number | undefined> {
  return (await get<{ count: number }>(hosts, side, `/count?session=${session}`))?.count;
}

async function responding(hosts: Hosts, side: Side): Promise<void> {
  while ((await get(hosts, side, '/state')) === undefined) await pause(20);
}

const OK = expect.objectContaining({ ok: true }) as Response;
const state = (hosts: Hosts, side: Side) => get<{ count: number; digest: string }>(hosts, side, '/state');

const described = missing === undefined ? describe : describe.skip;

described('on two hosts', () => {
  const kinds: [string, readonly string[]][] = [['Node.js', NODE]];
  if (python !== undefined) kinds.push(['Python', [python, join(APPLICATIONS, 'python.py')]]);

  test.each(kinds)('an application of %s goes on where it was, there and back', async (_, command) => {
    const hosts = await start(command);
    for (const session of ['a', 'b', 'a']) await count(hosts, 'source', session);
    const before = await state(hosts, 'source');
    expect(await call(hosts, 'source', 'check')).toEqual(OK);
    const dumped = await call(hosts, 'source', 'dump');
    expect(dumped).toEqual(OK);
    // Nothing of it runs here any more.
    expect(await state(hosts, 'source')).toBeUndefined();
    expect(await call(hosts, 'target', 'restore')).toEqual({ ok: true, bytes: dumped.bytes });
    await responding(hosts, 'target');
    expect(await state(hosts, 'target')).toEqual(before);
    expect(await count(hosts, 'target', 'a')).toBe(4);
    // All of its memory is there, not only what it has used since.
    expect(await get(hosts, 'target', '/ballast')).toEqual({ sum: expect.any(Number) as number });
    epoch += 1;
    expect(await call(hosts, 'target', 'dump')).toEqual(OK);
    expect(await call(hosts, 'source', 'restore')).toEqual(OK);
    await responding(hosts, 'source');
    expect(await count(hosts, 'source', 'b')).toBe(5);
    expect(await state(hosts, 'target')).toBeUndefined();
  });

  test('an abort has the source go on with what it had, and the target begin anew', async () => {
    const hosts = await start(NODE);
    await count(hosts, 'source', 'a');
    await call(hosts, 'source', 'dump');
    await call(hosts, 'target', 'restore');
    await responding(hosts, 'target');
    await count(hosts, 'target', 'a');
    expect(await call(hosts, 'source', 'resume')).toEqual(OK);
    expect(await call(hosts, 'target', 'discard')).toEqual(OK);
    expect(await count(hosts, 'source', 'a')).toBe(2);
    await responding(hosts, 'target');
    expect((await state(hosts, 'target'))?.count).toBe(0);
  });

  test('calls that come late, or twice, stop and replace nothing', async () => {
    const hosts = await start(NODE);
    const late = { why: expect.stringContaining('came before this one') as string, ok: false };
    const first = await call(hosts, 'source', 'dump');
    expect(await call(hosts, 'source', 'dump')).toEqual(first);
    expect(await call(hosts, 'target', 'restore')).toEqual(OK);
    const process = hosts.findProcess('target');
    expect(await call(hosts, 'target', 'restore')).toEqual(OK);
    expect(hosts.findProcess('target')).toBe(process);
    await call(hosts, 'source', 'resume');
    await call(hosts, 'target', 'discard');
    // Of the same epoch.
    expect(await call(hosts, 'source', 'dump')).toEqual(late);
    expect(await call(hosts, 'target', 'restore')).toEqual(late);
    expect(await count(hosts, 'source', 'a')).toBe(1);
    epoch += 1;
    const old = { until: `${Math.floor(Date.now() / 1000) - 1}` };
    expect(await call(hosts, 'source', 'dump', old)).toEqual({
      ok: false,
      why: expect.stringContaining('it must begin before') as string,
    });
    expect(await count(hosts, 'source', 'a')).toBe(2);
    // A thaw of the epoch before must not have the source go on behind the dump of this one.
    expect(await call(hosts, 'source', 'dump')).toEqual(OK);
    expect(await call(hosts, 'source', 'resume', { epoch: `${epoch - 1}` })).toEqual(late);
    expect(await state(hosts, 'source')).toBeUndefined();
  });

  test('a rollback that takes nothing along stops the one and has the other go on; its abort is the same again', async () => {
    const hosts = await start(NODE);
    await count(hosts, 'source', 'a');
    await call(hosts, 'source', 'dump');
    await call(hosts, 'target', 'restore');
    await responding(hosts, 'target');
    await count(hosts, 'target', 'a');
    epoch += 1;
    expect(await call(hosts, 'target', 'suspend')).toEqual(OK);
    expect(await call(hosts, 'source', 'resume', { behind: 'no' })).toEqual(OK);
    expect(await state(hosts, 'target')).toBeUndefined();
    expect((await state(hosts, 'source'))?.count).toBe(1);
    // It is aborted: the source is stopped, not ended.
    expect(await call(hosts, 'target', 'resume')).toEqual(OK);
    expect(await call(hosts, 'source', 'discard')).toEqual(OK);
    expect((await state(hosts, 'target'))?.count).toBe(2);
    expect(await state(hosts, 'source')).toBeUndefined();
    // A resume on the way to it that comes late.
    expect(await call(hosts, 'source', 'resume', { behind: 'no' })).toMatchObject({ ok: false });
    expect(await state(hosts, 'source')).toBeUndefined();
  });

  test('an application that was started in the place of another one is neither dumped nor resumed', async () => {
    const hosts = await start(NODE);
    await call(hosts, 'source', 'dump');
    await call(hosts, 'target', 'restore');
    await responding(hosts, 'target');
    const restored = hosts.findProcess('target');
    hosts.restart('target');
    while (hosts.findProcess('target') === restored || hosts.findProcess('target') === undefined) await pause(10);
    epoch += 1;
    expect(await call(hosts, 'target', 'dump')).toEqual({
      ok: false,
      why: expect.stringContaining('the application that was restored must run, got another one') as string,
    });
    await responding(hosts, 'target');
    const stopped = hosts.findProcess('source');
    hosts.restart('source');
    while (hosts.findProcess('source') === stopped || hosts.findProcess('source') === undefined) await pause(10);
    expect(await call(hosts, 'source', 'resume')).toEqual({
      ok: false,
      why: expect.stringContaining('the application that was dumped must run, got another one') as string,
    });
  });

  test('a clock that was set keeps no application from going on', async () => {
    const hosts = await start(NODE);
    await call(hosts, 'source', 'dump');
    // As if the file had been written an hour before its process began.
    utimesSync(hosts.findPidFile('source'), new Date(0), new Date(Date.now() - 3_600_000));
    expect(await call(hosts, 'source', 'resume')).toEqual(OK);
    expect(await count(hosts, 'source', 'a')).toBe(1);
    utimesSync(hosts.findPidFile('target'), new Date(0), new Date(Date.now() - 3_600_000));
    expect(await call(hosts, 'target', 'check')).toEqual({
      ok: false,
      why: expect.stringContaining('which began later than it was written') as string,
    });
  });

  test('what serves is not ended, and what is stopped is', async () => {
    const hosts = await start(NODE);
    expect(await call(hosts, 'source', 'end')).toEqual({
      ok: false,
      why: expect.stringContaining('must be stopped, got state') as string,
    });
    expect(await count(hosts, 'source', 'a')).toBe(1);
    await call(hosts, 'source', 'dump');
    expect(await call(hosts, 'source', 'end')).toEqual(OK);
    expect(hosts.findProcess('source')).toBeUndefined();
  });

  test('a log that is not there on the other host does not stop it', async () => {
    const log = join(folder, 'log');
    const hosts = await start(NODE, [log]);
    await count(hosts, 'source', 'a');
    await call(hosts, 'source', 'dump');
    rmSync(log);
    expect(await call(hosts, 'target', 'restore')).toEqual(OK);
    await responding(hosts, 'target');
    await count(hosts, 'target', 'a');
    expect(readFileSync(log, 'utf8').replaceAll('\0', '')).toBe('2\n');
  });

  test.each(['finds no room', 'is killed in the middle of it'])(
    'where the dump %s, the application goes on',
    async (how) => {
      const hosts = await start(NODE, [], breakDump(how));
      await count(hosts, 'source', 'a');
      const before = await state(hosts, 'source');
      const dumped = await call(hosts, 'source', 'dump');
      expect(dumped).toEqual({
        ok: false,
        why: expect.stringContaining('could not be dumped, and is still there') as string,
      });
      expect(await call(hosts, 'source', 'resume')).toEqual(OK);
      expect(await state(hosts, 'source')).toEqual(before);
      expect(await count(hosts, 'source', 'a')).toBe(2);
      expect(await get(hosts, 'source', '/ballast')).toEqual({ sum: expect.any(Number) as number });
    },
  );

  test('a host without an application, or one that has ended, says so', async () => {
    const hosts = await start(NODE);
    sendSignal(hosts.findProcess('target'), 'SIGKILL');
    while (hosts.findProcess('target') !== undefined) await pause(10);
    const none = { ok: false, why: expect.stringContaining('an application must run, got none') as string };
    expect(await call(hosts, 'target', 'check')).toEqual(none);
    await call(hosts, 'source', 'dump');
    expect(await call(hosts, 'target', 'restore')).toEqual({
      ok: false,
      why: expect.stringContaining('got no application on this host') as string,
    });
    expect(await call(hosts, 'source', 'resume')).toEqual(OK);
    expect(await count(hosts, 'source', 'a')).toBe(1);
  });
});
