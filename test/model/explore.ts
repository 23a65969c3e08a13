import {
  Rules,
  Setup,
  Shared,
  Task,
  ModelState,
  describeShared,
  describeTask,
  findViolation,
  isSettled,
  listCoordinatorSteps,
  listTaskSteps,
  listSteps,
  start,
} from '../../core/switch/switch-model';

export interface Exploration {
  readonly states: number;
  /** Of the longest of the shortest ways to a state. */
  readonly depth: number;
  /** The shortest way to a violation, and what it is. */
  readonly violation?: { readonly what: string; readonly trace: readonly string[] };
  /** A way to a state from which nothing that can happen leads to a settled one. */
  readonly stuck?: readonly string[];
}

export interface ExploreOptions {
  /** Also whether each state can still be settled. */
  readonly checksProgress?: boolean;
  /** Whether there is room for more; asked now and then. @throws Error that says why not */
  readonly checkRoom?: (states: number) => void;
  readonly report?: (states: number, depth: number) => void;
}

/**
 * Breadth first over every interleaving. Worlds that differ only in which of their tasks is which are one.
 *
 * @throws Error when there is no room for all of its states
 */
export function explore(setup: Setup, rules: Rules, options: ExploreOptions = {}): Exploration {
  return new Explorer(setup, rules, options).explore();
}

/** Values by number, equal ones under the same. */
class Interned<T> {
  private readonly ids = new Map<string, number>();
  readonly values: T[] = [];

  constructor(private readonly describe: (value: T) => string) {}

  id(value: T): number {
    const text = this.describe(value);
    const known = this.ids.get(text);
    if (known !== undefined) return known;
    const id = this.values.push(value) - 1;
    // They are the letters of a state's key.
    if (id > 0xffff) throw new Error('the model must have at most 65,536 different tasks, got more');
    this.ids.set(text, id);
    return id;
  }
}

interface Known {
  readonly shared: number;
  readonly tasks: readonly number[];
}

interface KnownStep {
  readonly task: number;
  readonly shared: number;
}

/** States. */
export const ROOM_EVERY = 10_000;

class Explorer {
  private readonly tasks = new Interned<Task>(describeTask);
  private readonly shared = new Interned<Shared>(describeShared);
  private readonly taskSteps = new Map<number, readonly KnownStep[]>();
  private readonly ids = new Map<string, number>();
  /** Of each state, the one that it was found from. */
  private readonly from: number[] = [];
  private readonly keys: string[] = [];
  private readonly before: number[][] = [];
  private readonly settled: number[] = [];
  private violation: Exploration['violation'];

  constructor(
    private readonly setup: Setup,
    private readonly rules: Rules,
    private readonly options: ExploreOptions,
  ) {}

  explore(): Exploration {
    const { report } = this.options;
    let level = this.visit(this.know(start(this.setup)), -1);
    let depth = 0;
    for (; level.length > 0; depth += 1) {
      report?.(this.ids.size, depth);
      const next: Known[] = [];
      for (const state of level) {
        const id = this.ids.get(keyOf(state)) ?? 0;
        for (const found of this.visitNext(state, id)) next.push(found);
        if (this.violation) return { states: this.ids.size, depth: depth + 1, violation: this.violation };
      }
      level = next;
    }
    const stuck = this.options.checksProgress ? this.findStuck() : undefined;
    return { states: this.ids.size, depth: depth - 1, ...(stuck && { stuck }) };
  }

  private know({ tasks, ...shared }: ModelState): Known {
    return { shared: this.shared.id(shared), tasks: tasks.map((task) => this.tasks.id(task)).sort((a, b) => a - b) };
  }

  private world({ tasks, shared }: Known): ModelState {
    return { ...this.shared.values[shared]!, tasks: tasks.map((task) => this.tasks.values[task]!) };
  }

  private visitNext(state: Known, id: number): Known[] {
    const found: Known[] = [];
    state.tasks.forEach((task, at) => {
      if (task === state.tasks[at - 1]) return;
      for (const step of this.stepsOf(task, state.shared)) {
        const tasks = state.tasks.with(at, step.task).sort((a, b) => a - b);
        found.push(...this.visit({ shared: step.shared, tasks }, id));
      }
    });
    for (const next of listCoordinatorSteps(this.world(state), this.rules)) {
      found.push(...this.visit(this.know(next.state), id));
    }
    return found;
  }

  private stepsOf(task: number, shared: number): readonly KnownStep[] {
    const key = task * 1_000_000 + shared;
    let known = this.taskSteps.get(key);
    if (!known) {
      const steps = listTaskSteps(this.tasks.values[task]!, this.shared.values[shared]!, this.rules);
      known = steps.map((step) => ({ task: this.tasks.id(step.task), shared: this.shared.id(step.shared) }));
      this.taskSteps.set(key, known);
    }
    return known;
  }

  private visit(state: Known, from: number): Known[] {
    const key = keyOf(state);
    const known = this.ids.get(key);
    if (known !== undefined) {
      this.before[known]?.push(from);
      return [];
    }
    const id = this.from.push(from) - 1;
    if (id % ROOM_EVERY === 0) this.options.checkRoom?.(id);
    this.keys.push(key);
    this.ids.set(key, id);
    if (this.options.checksProgress) this.before.push([from]);
    const world = this.world(state);
    const what = findViolation(world);
    if (what !== undefined) this.violation ??= { what, trace: this.traceTo(id) };
    if (this.options.checksProgress && isSettled(world)) this.settled.push(id);
    return [state];
  }

  private traceTo(id: number): string[] {
    const trace: string[] = [];
    for (let at = id; at > 0; at = this.from[at] ?? 0) trace.unshift(this.keys[at] ?? '');
    let world = start(this.setup);
    return trace.map((key) => {
      const step = listSteps(world, this.rules).find((each) => keyOf(this.know(each.state)) === key);
      if (!step) throw new Error('a state that was found must be reached by the way that it was found');
      world = step.state;
      return step.name;
    });
  }

  private findStuck(): string[] | undefined {
    const reaches = new Uint8Array(this.from.length);
    const queue = [...this.settled];
    for (const id of queue) reaches[id] = 1;
    while (queue.length > 0) {
      for (const id of this.before[queue.pop() ?? 0] ?? []) {
        if (id < 0 || reaches[id] === 1) continue;
        reaches[id] = 1;
        queue.push(id);
      }
    }
    const stuck = reaches.indexOf(0);
    return stuck < 0 ? undefined : this.traceTo(stuck);
  }
}

function keyOf({ shared, tasks }: Known): string {
  return String.fromCharCode(shared, ...tasks);
}
