import { readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { findCriu } from '../../../rehearsal/hosts/requirements';
import { sendSignal } from '../../../rehearsal/processes/signal';
import type { RehearsalEvidence } from '../../../rehearsal/report/evidence';
import { Command, FREE_PORTS, synthesize, temporaryFolder } from '../command';

const missing = findMissing();
const folder = temporaryFolder();
const commands: Command[] = [];

function findMissing(): string | undefined {
  try {
    findCriu();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

if (missing !== undefined) process.stderr.write(`SKIPPED: a cutover that moves the memory of a process: ${missing}\n`);

afterAll(async () => {
  for (const command of commands) {
    command.signal('SIGKILL');
    await command.ended;
  }
  rmSync(folder, { recursive: true, force: true });
});

function rehearse(...args: string[]): Command {
  const command = new Command(['rehearse', ...FREE_PORTS, '--strategy', 'drain-then-shift', ...args]);
  commands.push(command);
  return command;
}

const described = missing === undefined ? test : test.skip;

/** Of backends that see by an address where they run: no other rehearsal has such. */
function listApplications(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const [, file = '', options = ''] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
        return file.endsWith('backend/app.js') && options.includes('"addresses":');
      } catch {
        return false;
      }
    })
    .map(Number);
}

/** Once more processes are there than had been started: kills the one that was restored. @returns its id */
async function killRestored(command: Command): Promise<number> {
  await command.says(/waiting for healthy targets/);
  const started = new Set(listApplications());
  for (;;) {
    const restored = listApplications().find((pid) => !started.has(pid));
    if (restored !== undefined) {
      sendSignal(restored, 'SIGKILL');
      return restored;
    }
    await pause(5);
  }
}

described(
  'the memory of a process moves to the other host, also when the first that is restored is killed before the decision; no client notices',
  async () => {
    const app = synthesize(folder, 'drain-then-shift');
    const file = join(folder, 'evidence.json');
    const command = rehearse('--app', app, '--state', 'checkpoint', '--json', file, '--traffic', '0.5');
    await killRestored(command);
    const { code, output } = await command.ended;
    expect([code, output]).toEqual([0, expect.stringContaining('nothing lost') as string]);
    const { switches = [], switchSeen } = JSON.parse(readFileSync(file, 'utf8')) as RehearsalEvidence;
    const [first, ...later] = switches;
    expect(first).toMatchObject({ outcome: 'abort', why: expect.stringContaining('the hook must pass') as string });
    // The source went on, and a fresh application was started at the target.
    expect(first).not.toHaveProperty('frozen');
    const undone = first?.hook?.filter(({ part }) => part === 'thaw' || part === 'discard');
    expect(undone?.map(({ part, side, problem }) => [part, side, problem])).toEqual([
      ['thaw', 'source', undefined],
      ['discard', 'target', undefined],
    ]);
    const made = later.find(({ outcome }) => outcome === 'commit');
    const [freeze, transfer, verify] = ['freeze', 'transfer', 'verify'].map((part) =>
      made?.hook?.find((each) => each.part === part),
    );
    expect(freeze).toMatchObject({ side: 'source', bytes: expect.any(Number) as number });
    expect(transfer).toMatchObject({ side: 'target', bytes: freeze?.bytes });
    expect(verify).toMatchObject({ side: 'target' });
    expect(verify).not.toHaveProperty('problem');
    expect(switchSeen?.writes).toMatchObject({ overlaps: 0, lost: 0, doubled: 0 });
  },
);
