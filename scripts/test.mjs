// `npm test`: builds and tests, and beside that checks types and format. The tests mostly wait for something: the checks have a low
// priority, and use the processor time that is left. What they say is printed whole when they end. Behind all that come the tests of
// `jest.alone.config.js`, one at a time. What failed is named at the end. Arguments are those of jest.
//
// `npm run test:long` is `test.mjs --long`: it builds, and runs the tests of `jest.long.config.js`, one at a time.
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { constants, setPriority } from 'node:os';

const require = createRequire(import.meta.url);
const ALONE = 'jest.alone.config.js';
const LONG = 'jest.long.config.js';

function run(name, args, { isBeside = false } = {}) {
  const child = spawn(name, args, { stdio: isBeside ? ['ignore', 'pipe', 'pipe'] : 'inherit' });
  if (isBeside && child.pid) setPriority(child.pid, constants.priority.PRIORITY_BELOW_NORMAL);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (bytes) => (output += bytes));
  return new Promise((resolve) => {
    child.on('error', (error) => resolve({ passed: false, output: `${error.message}\n` }));
    child.on('close', (code) => resolve({ passed: code === 0, output }));
  });
}

async function check(name) {
  const { passed, output } = await run('npm', ['run', '--silent', name], { isBeside: true });
  process.stdout.write(`\n${name} ${passed ? 'passed' : 'FAILED'}\n${output}`);
  return passed ? [] : [name];
}

const build = () => run('npm', ['run', 'build']);

async function test(name, ...args) {
  return (await run('jest', [...args, '--passWithNoTests'])).passed ? [] : [name];
}

async function testAll(args) {
  const alone = require(`../${ALONE}`).testMatch;
  const others = ['--testMatch', ...require('../jest.config.js').testMatch, ...alone.map((each) => `!${each}`)];
  const beside = async () => ((await build()).passed ? test('jest', ...args, ...others) : ['build']);
  const failed = (await Promise.all([beside(), check('check')])).flat();
  return failed.includes('build') ? failed : [...failed, ...(await test(ALONE, '--config', ALONE, ...args))];
}

const testLong = async (args) => ((await build()).passed ? test(LONG, '--config', LONG, ...args) : ['build']);

const [first, ...rest] = process.argv.slice(2);
const failed = await (first === '--long' ? testLong(rest) : testAll(process.argv.slice(2)));
if (failed.length > 0) process.stdout.write(`\nfailed: ${failed.join(', ')}\n`);
process.exitCode = failed.length > 0 ? 1 : 0;
