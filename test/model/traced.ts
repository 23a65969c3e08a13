import type { MemberView } from '../../core/switch/coordinator';
import type { Outcome } from '../../core/switch/decision';
import type { SwitchRecord } from '../../core/switch/switch-record';
import { ModelState, Rules, Setup, Task, listSteps, start } from '../../core/switch/switch-model';
import { TraceRecorder } from '../../core/switch/trace-recorder';
import { TracedSwitch, verifyTrace } from '../../core/switch/verify-trace';
import type { Side } from '../../core/traffic/weights';
import type { LoggedWrite } from '../../rehearsal/writes/write-log';

/** What a cutover would have on record of a run of the model: all that its coordinators could see, step by step. */
export function traceRun(setup: Setup, rules: Rules, names: readonly string[]): readonly TracedSwitch[] {
  const tracer = new Tracer();
  let state = start(setup);
  for (const name of names) {
    const step = listSteps(state, rules).find((each) => each.name === name);
    if (!step) throw new Error(`a run must have steps of its model, got '${name}'`);
    tracer.follow(name, state, step.state);
    state = step.state;
  }
  return tracer.end();
}

/** Of the run of a mutant the first switch that is rejected; of the last one the end is missing. */
export function findRejected(switches: readonly TracedSwitch[]) {
  for (const traced of switches) {
    const { fault, events } = verifyTrace(traced);
    if (fault && (fault.event <= events || traced !== switches.at(-1))) return { epoch: traced.epoch, ...fault };
  }
  return undefined;
}

const nameOf = (task: Task, at: number) => `${task.home}-${at + 1}`;

/** What both backends would have in their logs of it, a step a millisecond. */
export function logWrites(setup: Setup, rules: Rules, names: readonly string[]): readonly LoggedWrite[] {
  const log: LoggedWrite[] = [];
  const open = new Map<string, LoggedWrite>();
  let state = start(setup);
  names.forEach((name, at) => {
    const step = listSteps(state, rules).find((each) => each.name === name);
    if (!step) throw new Error(`a run must have steps of its model, got '${name}'`);
    const [, began, ofEnd, ofOther] =
      /^(?:begin at (\w+) by|end at (\w+) of|(\w+) backend ends \w+ of) /.exec(name) ?? [];
    const key = `${began ?? ofEnd ?? ofOther} ${name.slice(name.lastIndexOf(' ') + 1)}`;
    if (began) {
      const task = state.tasks.find((each, index) => nameOf(each, index) === key.split(' ')[1])!;
      const side = began as Side;
      const number = log.filter((write) => write.side === side).length + open.size + 1;
      open.set(key, {
        client: key,
        n: at,
        side,
        number,
        epoch: task.hold.committed,
        beganMs: at,
        endedMs: names.length,
      });
    } else if (open.has(key)) {
      log.push({ ...open.get(key)!, endedMs: at });
      open.delete(key);
    }
    state = step.state;
  });
  return [...log, ...open.values()];
}

class Tracer {
  private readonly switches: TracedSwitch[] = [];
  private recorder: TraceRecorder | undefined;
  private record: Partial<SwitchRecord> = {};
  private isReady = false;
  private readonly hasSeenEmpty = new Set<string>();
  private now = 0;

  follow(name: string, before: ModelState, after: ModelState): void {
    this.now += 1;
    const [, what = '', epoch] =
      /^(begin switch|enlist|hook starts|hook passes|justify commit|write commit|write abort|settle)(?: (\d+))?$/.exec(
        name,
      ) ?? [];
    switch (what) {
      case 'begin switch':
        return this.begin(before, after);
      case 'enlist':
        return this.enlist(after);
      case 'hook starts':
        return this.startHook(after);
      case 'hook passes':
        return this.passHook(after, Number(epoch));
      case 'justify commit':
        return this.justify(after);
      case 'write commit':
        return this.decide('commit', Number(epoch));
      case 'write abort':
        return this.decide('abort', Number(epoch));
      case 'settle':
        return this.settle(before, after);
    }
    before.tasks.forEach((task, at) => {
      if (task !== after.tasks[at]) this.step(name, nameOf(task, at), after.tasks[at]!, after);
    });
    this.learn(name, before, after);
  }

  end(): readonly TracedSwitch[] {
    this.close();
    return this.switches;
  }

  private begin({ regime }: ModelState, { regime: { epoch, switching } }: ModelState): void {
    this.close();
    const to = switching!.to;
    this.isReady = false;
    this.recorder = new TraceRecorder(regime, this.now);
    this.record = { epoch, to, from: to === 'source' ? 'target' : 'source', by: 'model', fence: 'drainedAndAbandoned' };
    this.recorder.note({ kind: 'begin' }, this.now);
  }

  private enlist({ tasks, regime }: ModelState): void {
    const members = tasks.flatMap((task, at) =>
      task.memberOf === regime.epoch ? { id: nameOf(task, at), home: task.home, instance: 'first' } : [],
    );
    this.record = { ...this.record, members: members.length };
    this.hasSeenEmpty.clear();
    this.recorder?.enlist(members, this.now, false);
    this.recorder?.note({ kind: 'hold', leaseMs: 2_000 }, this.now);
  }

  private startHook({ tasks, hook }: ModelState): void {
    tasks.forEach((task, at) => this.look(nameOf(task, at), task));
    this.recorder?.note({ kind: 'hook', state: 'started', ...(hook?.kind === 'fences' && { fences: true }) }, this.now);
  }

  private passHook({ hook }: ModelState, epoch: number): void {
    // A coordinator that has followed a decision waits for no hook.
    if (epoch !== this.record.epoch || this.record.outcome) return;
    if (hook?.kind === 'fences') this.record = { ...this.record, fence: 'frozen' };
    this.recorder?.note({ kind: 'hook', state: 'passed' }, this.now);
  }

  private justify({ tasks }: ModelState): void {
    tasks.forEach((task, at) => this.look(nameOf(task, at), task));
    this.isReady = true;
    this.recorder?.note({ kind: 'ready', leaseMs: 2_000 }, this.now);
    this.recorder?.note({ kind: 'targets', strangers: 0 }, this.now);
  }

  private decide(outcome: Outcome, epoch: number): void {
    if (epoch !== this.record.epoch) return;
    this.record = { ...this.record, outcome: this.record.outcome ?? outcome };
    this.recorder?.note({ kind: 'decide', outcome }, this.now);
    this.recorder?.note({ kind: 'decision', outcome, by: 'model' }, this.now);
  }

  /** A task whose lease had expired may have written the decision. */
  private learn(name: string, before: ModelState, after: ModelState): void {
    const { epoch } = this.record;
    const outcome = epoch === undefined ? undefined : after.decisions[epoch - 1];
    if (!name.startsWith('ask') || epoch === undefined || !outcome || before.decisions[epoch - 1]) return;
    this.record = { ...this.record, outcome, by: name };
    this.recorder?.note({ kind: 'decision', outcome, by: name, isRead: true }, this.now);
  }

  private step(name: string, id: string, task: Task, { regime }: ModelState): void {
    const isRelease = name.startsWith(`release ${regime.epoch} `);
    if (isRelease) this.recorder?.released(id, task.side, this.now);
    else this.look(id, task);
  }

  private look(id: string, task: Task): void {
    const { epoch = 0 } = this.record;
    // A coordinator that acts on what it saw long ago has not looked since.
    if (task.wasEmpty && !this.isReady && this.hasSeenEmpty.has(id)) return;
    if (task.wasEmpty) this.hasSeenEmpty.add(id);
    this.recorder?.see(id, viewTask(task), epoch, { nowMs: this.now, upstream: task.side, isKept: true });
  }

  private settle({ tasks }: ModelState, { regime: { committed, side, isJoined } }: ModelState): void {
    tasks.forEach((task, at) => this.tell(nameOf(task, at), task));
    this.recorder?.note({ kind: 'settle', committed, side, isJoined }, this.now);
    // The call ends with it.
    this.close();
  }

  /** Each was told of the decision. Where that call did not arrive, neither did its response. */
  private tell(id: string, task: Task): void {
    this.hasSeenEmpty.clear();
    const isLost = task.life === 'up' && task.hold.state !== 'none';
    this.look(id, isLost ? { ...task, life: 'starting' } : task);
  }

  private close(): void {
    if (!this.recorder) return;
    const { outcome = 'abort', members = 0 } = this.record;
    this.switches.push({ ...(this.record as TracedSwitch), outcome, members, trace: this.recorder.build() });
    this.recorder = undefined;
  }
}

/** What a task would report, and ECS say of it. */
function viewTask({ life, hold, work, orphans, isFirstProcess }: Task): MemberView {
  const hasOutlastedRequests = !orphans.source && !orphans.target;
  const known = { instance: 'first', wasEmpty: false, hasOutlastedRequests };
  if (life === 'dead') return { ...known, life: 'stopped' };
  if (life !== 'up') return { ...known, life: 'running' };
  const works = Object.values(work);
  const isOfSwitch = hold.state !== 'none' && hold.outcomes !== undefined;
  return {
    ...known,
    life: 'running',
    report: {
      instance: isFirstProcess ? 'first' : 'later',
      hold: { state: hold.state, epoch: hold.epoch, leaseRemainingMs: 2_000, isOfSwitch },
      inFlight: works.filter((each) => each === 'inFlight').length,
      abandoned: works.filter((each) => each === 'abandoned').length,
      hasLost: false,
    },
  };
}
