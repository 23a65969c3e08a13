// `npm run rehearse -- [options]`: synthesizes the app of this package for the strategy that is asked for, and rehearses it.
// A cutover cannot change the strategy that it was deployed with, so a rehearsal does not either.
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const args = process.argv.slice(2);

/** The last value of `--name value` or `--name=value`. */
function findOption(name) {
  const values = args.flatMap((arg, at) =>
    arg === name ? [args[at + 1]] : arg.startsWith(`${name}=`) ? [arg.slice(name.length + 1)] : [],
  );
  return values.at(-1);
}

/** What is wrong with a plan is for the rehearsal to say. */
function isPlanOfSwitch(file) {
  try {
    return /^(?!\s*#).*\bstrategy["']?\s*:\s*["']?drainThenShift\b/m.test(readFileSync(file, 'utf8'));
  } catch {
    return false;
  }
}

const plan = findOption('--plan');
const isSwitch = findOption('--strategy') === 'drain-then-shift' || (plan !== undefined && isPlanOfSwitch(plan));
const capture = findOption('--capture');
const contexts = [
  ...(isSwitch ? ['drainshift:strategy=drain-then-shift'] : []),
  // What is none is for the rehearsal to say.
  ...(['s3', 'kafka'].includes(capture) ? [`drainshift:capture=${capture}`] : []),
];
const context = contexts.length === 0 ? [] : ['--', ...contexts.flatMap((value) => ['--context', value])];
/** What only tells something needs no assembly. */
const isTold = args.some((arg) => ['--help', '-h', '--list-faults', '--version'].includes(arg));
const script = isTold ? ['build'] : ['synth', ...context];
const synth = spawnSync('npm', ['run', '--silent', ...script], { cwd: ROOT, stdio: 'inherit' });
if (synth.status !== 0) process.exit(synth.status ?? 1);
const child = spawn(process.execPath, [join(ROOT, 'dist/bin/drainshift.js'), 'rehearse', ...args], {
  stdio: 'inherit',
});
// A terminal sends Ctrl-C to both; the rehearsal ends in order, and this with it.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    if (signal !== 'SIGINT') child.kill(signal);
  });
}
child.on('exit', (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)));
