import { FIRST_REGIME, Regime, findServedSide } from './regime';
import {
  PROTOCOL,
  Shared,
  Task,
  describeShared,
  describeTask,
  enlistTask,
  listTaskSteps,
  newTask,
} from './switch-model';
import type { Side } from '../traffic/weights';

/** States of the model that a task can be in, by number. The same states are the same object. */
export interface StateSet {
  readonly key: string;
  readonly ids: readonly number[];
}

/** What a task can find around it while nothing is known of it: one of these, or one after the other. */
export interface Surroundings {
  readonly key: string;
  readonly each: readonly Shared[];
  /** Whether a task whose lease has expired may have written an abort. */
  readonly mayAbort: boolean;
}

export function surround(each: readonly Shared[], mayAbort: boolean): Surroundings {
  return { key: `${each.map(describeShared).join(';')}${mayAbort}`, each, mayAbort };
}

/** What surrounds the tasks of one switch, which is that of epoch 1 in the model. */
export function sharedAt(first: Regime, regime: Regime, decision: Shared['decisions'][number]): Shared {
  const unbounded = { crashes: Number.POSITIVE_INFINITY, hands: 0 };
  const rest = { intents: [false], isShifted: true, apartAt: 0, hasStaleEpoch: false };
  return { first, regime, decisions: [decision], ...rest, ...unbounded };
}

/** The states that a task can be in, as far as the looks at it allow: those of the model that `listTaskSteps` leads to. */
export class TaskStates {
  private readonly ids = new Map<string, number>();
  private readonly tasks: Task[] = [];
  private readonly sets = new Map<string, StateSet>();
  private readonly next = new Map<string, readonly number[]>();
  private readonly reached = new Map<string, StateSet>();

  /** Of a task of this side before the switch, whatever it does. */
  start(home: Side, before: Regime, around: Surroundings): StateSet {
    const sides = new Set([findServedSide(home, before)]);
    // After a switch back a task of the target forwards to the source until a preflight retargets it.
    if (!before.isJoined && before.committed > FIRST_REGIME.committed) sides.add(before.side);
    const up = [...sides].map((side) => ({ ...newTask(home, 'up'), side }));
    const others = (['absent', 'booting', 'dead'] as const).map((life) => newTask(home, life));
    return this.reach(this.set([...up, ...others].map((task) => this.id(task))), around);
  }

  enlist({ ids }: StateSet): StateSet {
    return this.set(ids.flatMap((id) => enlistTask(this.tasks[id]!, 1) ?? []).map((task) => this.id(task)));
  }

  /** Those, and all that they lead to without anybody having seen it. */
  reach(from: StateSet, around: Surroundings): StateSet {
    const key = `${from.key}|${around.key}`;
    const known = this.reached.get(key);
    if (known) return known;
    const found = new Set(from.ids);
    for (const id of found) for (const next of this.listNext(id, around)) found.add(next);
    const reached = this.set([...found]);
    this.reached.set(key, reached);
    return reached;
  }

  filter({ ids }: StateSet, holds: (task: Task) => boolean): StateSet {
    return this.set(ids.filter((id) => holds(this.tasks[id]!)));
  }

  private listNext(id: number, { each, mayAbort, key }: Surroundings): readonly number[] {
    const known = this.next.get(`${id}|${key}`);
    if (known) return known;
    const task = this.tasks[id]!;
    const found = each.flatMap((shared) =>
      listTaskSteps(task, shared, PROTOCOL)
        .filter((step) => mayAbort || step.shared.decisions[0] === shared.decisions[0])
        .map((step) => this.id(step.task)),
    );
    this.next.set(`${id}|${key}`, found);
    return found;
  }

  private id(task: Task): number {
    const key = describeTask(task);
    const known = this.ids.get(key);
    if (known !== undefined) return known;
    const id = this.tasks.push(task) - 1;
    this.ids.set(key, id);
    return id;
  }

  private set(ids: readonly number[]): StateSet {
    const ordered = [...new Set(ids)].sort((a, b) => a - b);
    const key = ordered.join();
    const known = this.sets.get(key);
    if (known) return known;
    const made = { key, ids: ordered };
    this.sets.set(key, made);
    return made;
  }
}
