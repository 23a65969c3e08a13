// `npm test`: builds and tests, and beside that checks types and format. The tests mostly wait for something: the checks have a low
// priority, and use the processor time that is left. What they say is printed whole when they end, and what failed is named at the
// end. Arguments are those of jest.
import { spawn } from 'node:child_process';
import { constants, setPriority } from 'node:os';

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

async function test() {
  if (!(await run('npm', ['run', 'build'])).passed) return ['build'];
  return (await run('jest', process.argv.slice(2))).passed ? [] : ['jest'];
}

const failed = (await Promise.all([test(), check('check')])).flat();
if (failed.length > 0) process.stdout.write(`\nfailed: ${failed.join(', ')}\n`);
process.exitCode = failed.length > 0 ? 1 : 0;
