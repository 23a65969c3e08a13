import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { findCriu } from '../../../rehearsal/hosts/requirements';
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

described(
  'sessions, carts and counters are in the memory of a process, which moves to the other host; no client notices',
  async () => {
    const app = synthesize(folder, 'drain-then-shift');
    const file = join(folder, 'evidence.json');
    const { code, output } = await rehearse('--app', app, '--state', 'checkpoint', '--json', file).ended;
    expect([code, output]).toEqual([0, expect.stringContaining('nothing lost') as string]);
    const { switches, switchSeen } = JSON.parse(readFileSync(file, 'utf8')) as RehearsalEvidence;
    const [made] = (switches ?? []).filter(({ outcome }) => outcome === 'commit');
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
