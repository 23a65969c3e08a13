import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { listenPrivately, removeLeftSockets } from '../../../../proxy/data-plane/shared/private-socket';

let folder: string;
beforeEach(() => void (folder = mkdtempSync(path.join(tmpdir(), 'drainshift-test-'))));
afterEach(() => rmSync(folder, { recursive: true }));

/** A process that listens in such a folder, and is killed. @returns its number */
function leave(): number {
  const script = `
    const path = process.env.TMPDIR + '/drainshift-handover-' + process.pid + '-abcdef';
    require('fs').mkdirSync(path);
    require('net').createServer().listen(path + '/handover', () => process.kill(process.pid, 'SIGKILL'));
  `;
  return spawnSync(process.execPath, ['-e', script], { env: { TMPDIR: folder } }).pid;
}

test('what killed processes have left is removed, and nothing else', async () => {
  const [left, other] = [leave(), leave()];
  const at = (name: string) => path.join(folder, name);
  const folders = [left, other].map((pid) => at(`drainshift-handover-${pid}-abcdef`));
  expect(folders.every((each) => existsSync(path.join(each, 'handover')))).toBe(true);
  const kept = [
    `drainshift-handover-${left}-abcde`,
    `drainshift-${left}-abcdef`,
    `drainshift-handover-${process.pid}-abcdef`,
  ];
  for (const name of kept) mkdirSync(at(name));
  symlinkSync(folders[1]!, at(`drainshift-handover-${left}-linked`));
  const live = await listenPrivately(() => undefined, folder);
  await removeLeftSockets(folder);
  expect(folders.map((each) => existsSync(each))).toEqual([false, false]);
  expect(kept.every((name) => existsSync(at(name)))).toBe(true);
  expect(existsSync(live.path)).toBe(true);
  await live.close();
  expect(existsSync(path.dirname(live.path))).toBe(false);
});

test('a folder in which a process of another container listens stays', async () => {
  const pid = leave();
  const name = path.join(folder, `drainshift-handover-${pid}-ghijkl`);
  mkdirSync(name);
  const { createServer } = await import('node:net');
  const server = createServer().listen(path.join(name, 'handover'));
  await new Promise((resolve) => server.once('listening', resolve));
  await removeLeftSockets(folder);
  expect(existsSync(name)).toBe(true);
  server.close();
});

test('the empty folder of a process that was killed before it had a socket is removed once it is a minute old', async () => {
  const [old, young] = ['mnopqr', 'stuvwx'].map((end) => path.join(folder, `drainshift-handover-${leave()}-${end}`));
  for (const name of [old!, young!]) mkdirSync(name);
  const before = new Date(Date.now() - 61_000);
  utimesSync(old!, before, before);
  await removeLeftSockets(folder);
  expect([old, young].map((name) => existsSync(name!))).toEqual([false, true]);
});
