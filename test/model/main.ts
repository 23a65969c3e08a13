/* eslint-disable no-console */
import { parseArgs } from 'node:util';
import { explore } from './explore';
import { MUTANTS } from './mutants';
import { PROTOCOL, Setup } from './switch-model';
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

  (none)             explores every interleaving of up to 5 tasks, then walks at random through 8
  --mutant NAME      prints what it costs to break one rule; one of
                     ${MUTANTS.map(({ name }) => name).join(', ')}
  --walks N          random walks only, of 500 steps each
  --seed N           of the walks
`;

const say = (line: string) => console.log(line);
const describe = (setup: Setup) => Object.entries(setup).map(([name, count]) => `${name} ${count}`).join(', '); // prettier-ignore

function main(): boolean {
  const { values } = parseArgs({
    options: {
      ...{ mutant: { type: 'string' }, walks: { type: 'string' }, seed: { type: 'string' } },
      help: { type: 'boolean' },
    },
  });
  if (values.help) return (say(USAGE), true);
  if (values.mutant !== undefined) return showMutant(values.mutant);
  const seed = readNumber('seed', values.seed ?? String(Date.now() % 1_000_000));
  const walks = readNumber('walks', values.walks ?? '400');
  if (values.walks !== undefined) return walkThrough(walks, seed);
  return SETUPS.every(exploreAll) && walkThrough(walks, seed);
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

try {
  process.exitCode = main() ? 0 : 1;
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 64;
}
