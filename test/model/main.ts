/* eslint-disable no-console */
import { parseArgs } from 'node:util';
import { explore } from './explore';
import { EXIT_CODES } from '../../core/errors/exit-codes';
import { interleave } from './interleave';
import { MUTANTS } from './mutants';
import { PROTOCOL, Setup } from '../../core/switch/switch-model';
import { walk } from './walk';

/** Of `npm run bench:model`, the smallest first. */
const SETUPS: readonly Setup[] = [
  { sources: 2, targets: 0, joiners: 1, crashes: 1, epochs: 1 },
  { sources: 3, targets: 0, joiners: 0, crashes: 2, epochs: 1, hands: 1 },
  { sources: 4, targets: 0, joiners: 0, crashes: 1, epochs: 1 },
  { sources: 1, targets: 2, joiners: 0, crashes: 0, epochs: 2 },
  { sources: 2, targets: 1, joiners: 0, crashes: 0, epochs: 2 },
  { sources: 3, targets: 0, joiners: 1, crashes: 1, epochs: 1 },
  { sources: 5, targets: 0, joiners: 0, crashes: 1, epochs: 1 },
];
const WALKS: Setup = { sources: 4, targets: 3, joiners: 1, crashes: 4, epochs: 3, hands: 2 };

const USAGE = `npm run bench:model -- [options]

  (none)             explores every interleaving of up to 5 tasks, then walks at random through 8,
                     and through interleavings of the real code
  --mutant NAME      prints what it costs to break one rule; one of
                     ${MUTANTS.map(({ name }) => name).join(', ')}
  --walks N          random walks only, of 500 steps each
  --interleavings N  random interleavings of the real code only
  --seed N           of the walks and the interleavings
`;

const say = (line: string) => console.log(line);
const describe = (setup: Setup) => Object.entries(setup).map(([name, count]) => `${name} ${count}`).join(', '); // prettier-ignore

async function main(): Promise<boolean> {
  const { values } = parseArgs({
    options: {
      ...{ mutant: { type: 'string' }, walks: { type: 'string' }, seed: { type: 'string' } },
      interleavings: { type: 'string' },
      help: { type: 'boolean' },
    },
  });
  if (values.help) return (say(USAGE), true);
  if (values.mutant !== undefined) return showMutant(values.mutant);
  const seed = readNumber('seed', values.seed ?? String(Date.now() % 1_000_000));
  const walks = readNumber('walks', values.walks ?? '400');
  if (values.walks !== undefined) return walkThrough(walks, seed);
  const interleavings = readNumber('interleavings', values.interleavings ?? '3000');
  if (values.interleavings !== undefined) return interleaveAll(interleavings, seed);
  return SETUPS.every(exploreAll) && walkThrough(walks, seed) && interleaveAll(interleavings, seed);
}

function readNumber(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0)
    throw new Error(`'--${name}' must be an integer of at least 0, got ${text}`);
  return value;
}

function showMutant(wanted: string): boolean {
  const mutant = MUTANTS.find(({ name }) => name === wanted);
  if (!mutant)
    throw new Error(`'--mutant' must be one of ${MUTANTS.map(({ name }) => name).join(', ')}, got ${wanted}`);
  const { states, violation } = explore(mutant.setup, mutant.rules);
  say(`${mutant.what} (${describe(mutant.setup)})`);
  say(violation ? `after ${states} states: ${violation.what}` : `no violation in ${states} states`);
  violation?.trace.forEach((step, at) => say(`${String(at + 1).padStart(4)}  ${step}`));
  return violation !== undefined;
}

function exploreAll(setup: Setup): boolean {
  const startedMs = performance.now();
  const seconds = () => ((performance.now() - startedMs) / 1000).toFixed(1);
  let saidMs = startedMs;
  say(describe(setup));
  const { states, depth, violation } = explore(setup, PROTOCOL, {
    report: (found, at) => {
      if (performance.now() - saidMs < 5_000) return;
      saidMs = performance.now();
      say(`  … ${found.toLocaleString('en')} states, depth ${at}, ${seconds()} s`);
    },
  });
  const verdict = violation ? `${violation.what}: ${violation.trace.join(' → ')}` : 'no violation';
  say(`  ${states.toLocaleString('en')} states, depth ${depth}, ${seconds()} s: ${verdict}`);
  return violation === undefined;
}

function walkThrough(walks: number, seed: number): boolean {
  say(`${walks} random walks of 500 steps, seed ${seed}: ${describe(WALKS)}`);
  const { steps, commits, aborts, violation } = walk(WALKS, PROTOCOL, { walks, steps: 500, seed });
  if (!violation) say(`  ${steps.toLocaleString('en')} steps, ${commits} commits, ${aborts} aborts: no violation`);
  else
    say(`  in walk ${violation.walk}: ${violation.what}\n${violation.trace.map((step) => `    ${step}`).join('\n')}`);
  return violation === undefined;
}

async function interleaveAll(runs: number, seed: number): Promise<boolean> {
  say(`${runs} random interleavings of the real code, seed ${seed}`);
  try {
    const { commit, abort } = await interleave(runs, seed);
    say(`  ${commit} commits, ${abort} aborts: no violation`);
    return true;
  } catch (error) {
    say(`  ${error instanceof Error ? error.message : String(error)}\n  ${String((error as Error).cause)}`);
    return false;
  }
}

main().then(
  (isRight) => (process.exitCode = isRight ? EXIT_CODES.done.code : EXIT_CODES.failed.code),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = EXIT_CODES.wrongUse.code;
  },
);
