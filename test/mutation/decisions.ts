import { globSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The tests that `npm run test:mutation` runs for each mutant: those of the decisions, without processes and sockets. In one file,
 * because what a mutant costs is mostly the loading of test files and of all that they import. Here each module is loaded once.
 */
const TESTS = ['core/**/*.test.ts', 'lambda/{contract,steps,resources/proof}/**/*.test.ts'];
/** Takes longer than all others together. What a state may hold is in `core/cutover/state-size.test.ts`. */
const SLOW = ['lambda/steps/state-size.long.test.ts'];
const ROOT = join(__dirname, '..');

for (const file of globSync(TESTS, { cwd: ROOT, exclude: SLOW }).sort()) {
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- at run time, one after the other
  describe(file, () => void require(join(ROOT, file)));
}
