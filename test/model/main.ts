/* eslint-disable no-console */
import { parseArgs } from 'node:util';
import { getHeapStatistics } from 'node:v8';
import { ROOM_EVERY, explore } from './explore';
import { EXIT_CODES } from '../../core/errors/exit-codes';
import { interleave } from './interleave';
import { MUTANTS } from './mutants';
import { PROTOCOL, Setup } from '../../core/switch/switch-model';
import { walk } from './walk';

const SOURCES: Setup = { sources: 2, targets: 0, joiners: 0, crashes: 1, epochs: 1 };
/** Of `npm run bench:model`, the smallest first. */
const SETUPS: readonly Setup[] = [
  { ...SOURCES, hands: 1 },
  { ...SOURCES, hook: 'unproved' },
  { ...SOURCES, hook: 'fences' },
  { ...SOURCES, sources: 1, epochs: 3, hook: 'fences' },
  { ...SOURCES, sources: 1, targets: 1, epochs: 2 },
  { ...SOURCES, sources: 1, targets: 2, crashes: 0, epochs: 2 },
  { ...SOURCES, targets: 1, crashes: 0, epochs: 2 },
  { ...SOURCES, joiners: 1 },
  { ...SOURCES, joiners: 1, hook: 'fences' },
  { ...SOURCES, sources: 3, crashes: 2, hands: 1 },
  { ...SOURCES, sources: 3, hook: 'fences' },
  { ...SOURCES, sources: 3, joiners: 1 },
  { ...SOURCES, sources: 4 },
  { ...SOURCES, sources: 4, joiners: 1 },
  { ...SOURCES, sources: 5 },
];
const WALKS: Setup = { sources: 4, targets: 3, joiners: 1, crashes: 4, epochs: 3, hands: 2, hook: 'fences' };

const USAGE = `npm run bench:model -- [options]

  (none)             explores every interleaving of up to 5 tasks, and breaks each rule; then walks at random
                     through 8 tasks, and through interleavings of the real code
  --mutants          prints what it costs to break each rule: the shortest way to a violation
  --mutant NAME      of one rule:
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
      ...{
        mutant: { type: 'string' },
        mutants: { type: 'boolean' },
        walks: { type: 'string' },
        seed: { type: 'string' },
      },
      interleavings: { type: 'string' },
      help: { type: 'boolean' },
    },
  });
  if (values.help) return (say(USAGE), true);
  if (values.mutant !== undefined) return showMutant(values.mutant);
  if (values.mutants) return MUTANTS.every(({ name }) => showMutant(name));
  const seed = readNumber('seed', values.seed ?? String(Date.now() % 1_000_000));
  const walks = readNumber('walks', values.walks ?? '400');
  if (values.walks !== undefined) return walkThrough(walks, seed);
  const interleavings = readNumber('interleavings', values.interleavings ?? '3000');
  if (values.interleavings !== undefined) return interleaveAll(interleavings, seed);
  return exploreSetups() && breakRules() && walkThrough(walks, seed) && interleaveAll(interleavings, seed);
}

function exploreSetups(): boolean {
  const startedMs = performance.now();
  let sum = 0;
  const areRight = SETUPS.every((setup) => {
    const { states, isRight } = exploreAll(setup);
    sum += states;
    return isRight;
  });
  say(`${sum.toLocaleString('en')} states in all, ${formatSeconds(performance.now() - startedMs)}`);
  return areRight;
}

/** A model that finds nothing would find nothing here either. */
function breakRules(): boolean {
  const missed = MUTANTS.filter(({ setup, rules }) => !explore(setup, rules, { checkRoom }).violation);
  say(`${MUTANTS.length} broken rules: ${MUTANTS.length - missed.length} found (--mutants shows how)`);
  missed.forEach(({ name, what }) => say(`  not found: ${name}, ${what}`));
  return missed.length === 0;
}

const formatSeconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`;
/** Of one map. */
const MAX_STATES = 2 ** 24 - 1;
const MB = 2 ** 20;
/** Of the heap of Node.js for what stays: near its end the collector finds no time for anything else. */
const ROOM = 0.8;
/** Of the limit that Node.js reports, for what is new. */
const YOUNG_MB = 192;

class NoRoom extends Error {}

function checkRoom(states: number): void {
  const roomMb = Math.round(ROOM * (getHeapStatistics().heap_size_limit / MB - YOUNG_MB));
  const usedMb = Math.round(process.memoryUsage().heapUsed / MB);
  const got = `got ${usedMb} MB after ${states.toLocaleString('en')} states`;
  if (usedMb > roomMb)
    throw new NoRoom(
      `an exploration must fit into ${roomMb} MB, ${got}: NODE_OPTIONS=--max-old-space-size=MB gives it more`,
    );
  if (states >= MAX_STATES - ROOM_EVERY)
    throw new NoRoom(`an exploration must have at most ${MAX_STATES.toLocaleString('en')} states, ${got}`);
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
  const { states, violation } = explore(mutant.setup, mutant.rules, { checkRoom });
  say(`${mutant.what} (${describe(mutant.setup)})`);
  say(violation ? `after ${states} states: ${violation.what}` : `no violation in ${states} states`);
  violation?.trace.forEach((step, at) => say(`${String(at + 1).padStart(4)}  ${step}`));
  return violation !== undefined;
}

function exploreAll(setup: Setup): { readonly states: number; readonly isRight: boolean } {
  const startedMs = performance.now();
  const taken = () => formatSeconds(performance.now() - startedMs);
  let saidMs = startedMs;
  say(describe(setup));
  const { states, depth, violation } = explore(setup, PROTOCOL, {
    checkRoom,
    report: (found, at) => {
      if (performance.now() - saidMs < 5_000) return;
      saidMs = performance.now();
      say(`  … ${found.toLocaleString('en')} states, depth ${at}, ${taken()}`);
    },
  });
  const verdict = violation ? `${violation.what}: ${violation.trace.join(' → ')}` : 'no violation';
  say(`  ${states.toLocaleString('en')} states, depth ${depth}, ${taken()}: ${verdict}`);
  return { states, isRight: violation === undefined };
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
    process.exitCode = (error instanceof NoRoom ? EXIT_CODES.failed : EXIT_CODES.wrongUse).code;
  },
);
