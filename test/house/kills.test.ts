import { readFileSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';

const ROOT = resolve(__dirname, '../..');
const ROOMS = ['capture', 'core', 'lib', 'lambda', 'proxy', 'rehearsal', 'check', 'compare', 'bin', 'bench', 'client'];

/** Of a child process, or by an id; a class of ours may have a `kill()` of its own. */
const KILL = /\b(?:child|process|subprocess)\??\.kill\([^)]/;

/** These look at the id before. `bin/shared/operator-command.ts` signals itself. */
const GUARDED = [
  'rehearsal/processes/reaper.ts',
  'rehearsal/processes/signal.ts',
  'bench/processes/children.ts',
  'bench/restart/estate.ts',
  'bench/soak/upstream/outages.ts',
  'bench/soak/proxy/proxy.ts',
  'proxy/data-plane/shared/private-socket.ts',
  'proxy/restart/keeper.ts',
  'proxy/restart/successor.ts',
];

test('a process that could not be started gets no signal, which would go to the whole group of ours', () => {
  const files = ROOMS.flatMap((room) =>
    readdirSync(join(ROOT, room), { recursive: true, encoding: 'utf8' }).map((file) => join(room, file)),
  );
  const kills = files.filter(
    (file) =>
      /\.m?ts$/.test(file) && file !== 'core/errors/signals.ts' && KILL.test(readFileSync(join(ROOT, file), 'utf8')),
  );
  expect(kills.sort()).toEqual([...GUARDED, 'bin/shared/operator-command.ts'].sort());
});
