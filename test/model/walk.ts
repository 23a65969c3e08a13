import { Rules, Setup, ModelState, findViolation, listSteps, start } from '../../core/switch/switch-model';

export interface WalkOptions {
  readonly walks: number;
  readonly steps: number;
  readonly seed: number;
  /** Called with the steps of each walk. */
  readonly visit?: (trace: readonly string[]) => void;
}

export interface Walked {
  readonly steps: number;
  /** Decisions that were taken, by their outcome. */
  readonly commits: number;
  readonly aborts: number;
  readonly violation?: { readonly what: string; readonly walk: number; readonly trace: readonly string[] };
}

/** What would end each switch before it starts, were it as likely as all else. */
const RARE = /^(write abort|kill|lease expires|hand holds|ask \(abort\))/;
const RARITY = 0.03;

/** Random walks through worlds that are too large to explore. The same seed walks the same ways. */
export function walk(setup: Setup, rules: Rules, { walks, steps, seed, visit }: WalkOptions): Walked {
  const random = mulberry32(seed);
  const sum = { steps: 0, commits: 0, aborts: 0 };
  for (let at = 1; at <= walks; at += 1) {
    let world = start(setup);
    const trace: string[] = [];
    for (let step = 0; step < steps; step += 1) {
      const next = pick(listSteps(world, rules), random);
      if (!next) break;
      trace.push(next.name);
      world = next.state;
      const what = findViolation(world);
      if (what !== undefined) {
        return { ...sum, violation: { what, walk: at, trace: shrink(setup, rules, trace) } };
      }
    }
    visit?.(trace);
    sum.steps += trace.length;
    sum.commits += world.decisions.filter((each) => each === 'commit').length;
    sum.aborts += world.decisions.filter((each) => each === 'abort').length;
  }
  return sum;
}

function pick<T extends { readonly name: string }>(steps: readonly T[], random: () => number): T | undefined {
  const weights = steps.map(({ name }) => (RARE.test(name) ? RARITY : 1));
  let left = random() * weights.reduce((a, b) => a + b, 0);
  return steps.find((_, at) => (left -= weights[at]!) < 0) ?? steps.at(-1);
}

/** Leaves out each step without which the violation still comes. */
function shrink(setup: Setup, rules: Rules, trace: readonly string[]): string[] {
  let best = [...trace];
  for (let at = best.length - 1; at >= 0; at -= 1) {
    const shorter = replay(setup, rules, best.toSpliced(at, 1));
    if (shorter) {
      best = shorter;
      at = Math.min(at, best.length);
    }
  }
  return best;
}

/** Takes the steps that are possible. @returns those until the violation, or undefined without one */
function replay(setup: Setup, rules: Rules, trace: readonly string[]): string[] | undefined {
  let world: ModelState = start(setup);
  const taken: string[] = [];
  for (const name of trace) {
    const step = listSteps(world, rules).find((each) => each.name === name);
    if (!step) continue;
    taken.push(name);
    world = step.state;
    if (findViolation(world) !== undefined) return taken;
  }
  return undefined;
}

/** @see https://gist.github.com/tommyettinger/46a874533244883189143505d203312c */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
