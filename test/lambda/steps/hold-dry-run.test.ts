import { HOLD_RULES_VARIABLE } from '../../../core/cutover/cutover-config';
import type { HoldDryRun } from '../../../core/cutover/hold-dry-run';
import { beginSwitch, FIRST_REGIME } from '../../../core/switch/regime';
import { holdDryRun } from '../../../lambda/steps/hold-dry-run';
import { FakeClock } from '../../proxy/support/fake-clock';
import { holdOrder } from '../../support/hold-order';
import { MemoryTask, Served } from '../switch/switch-world';
import { MemoryCloud } from '../world';

afterEach(() => void delete process.env[HOLD_RULES_VARIABLE]);

/** Tasks with gates of their own; while the function waits, requests come to them. */
class Counting extends MemoryCloud {
  readonly clock = new FakeClock();
  readonly members: MemoryTask[];
  readonly served: Served[] = [];
  closed = 0;

  constructor(readonly requests: Record<string, number>) {
    super();
    process.env[HOLD_RULES_VARIABLE] = JSON.stringify({ maxPauseMs: 4_000, maxWaiting: 3 });
    this.members = Object.keys(requests).map(
      (id) => new MemoryTask(id, id.startsWith('s') ? 'source' : 'target', this.switches, this.served, this.clock),
    );
    this.switchTasks = () =>
      this.members.map((task) => ({ id: task.id, home: task.home, session: this.closing(task) }));
    this.whilePausing = () => this.serve();
  }

  count(seconds = 1) {
    return holdDryRun({ seconds }, this.ports);
  }

  async findTasks() {
    return ((await this.count()) as HoldDryRun).tasks;
  }

  meanwhile: () => void = () => undefined;

  private serve(): void {
    for (const task of this.members) {
      for (let n = 0; n < (this.requests[task.id] ?? 0); n += 1) task.request();
    }
    this.meanwhile();
    this.clock.advance(1.1);
  }

  private closing(task: MemoryTask): MemoryTask {
    task.close = () => void (this.closed += 1);
    return task;
  }
}

test('each task of both sides says what would have waited, and nothing waits', async () => {
  const cloud = new Counting({ s1: 5, s2: 2, t1: 0 });
  cloud.members[1]!.longestRequestMs = 900;
  expect(await cloud.count()).toEqual({
    ...{ seconds: 1, rules: { maxPauseMs: 4_000, maxWaiting: 3 }, isPlanned: true },
    tasks: [
      { id: 's1', side: 'source', waiting: 5, full: 2, longestRequestMs: 0 },
      { id: 's2', side: 'source', waiting: 2, full: 0, longestRequestMs: 900 },
      { id: 't1', side: 'target', waiting: 0, full: 0, longestRequestMs: 0 },
    ],
  });
  expect(cloud.served).toHaveLength(7);
  expect(cloud.closed).toBe(3);
  // The next hold may have the epoch that it would have had.
  expect(cloud.members[0]!.gate.report().epoch).toBe(0);
  expect(cloud.members[0]!.gate.isHolding).toBe(false);
});

test('without a plan that switches the rules are the defaults of one', async () => {
  const cloud = new Counting({ s1: 1 });
  delete process.env[HOLD_RULES_VARIABLE];
  expect(await cloud.count()).toMatchObject({ isPlanned: false, rules: { maxPauseMs: 5_000, maxWaiting: 10_000 } });
});

test.each<[string, (cloud: Counting, task: MemoryTask) => void, RegExp]>([
  ['does not respond', (_, task) => void (task.isReachable = false), /^s1 does not respond$/],
  [
    'holds already',
    (_, { gate }) =>
      void gate.hold(
        holdOrder({ epoch: 3, leaseMs: 9_000, maxWaiting: 1, outcomes: { commit: 'target', abort: 'source' } }),
      ),
    /'outcomes' must be given while a switch holds \(epoch 3\)/,
  ],
  [
    'does not respond any more',
    (cloud, task) => void (cloud.meanwhile = () => void (task.isReachable = false)),
    /^s1 does not respond$/,
  ],
  [
    'holds meanwhile',
    (cloud, { gate }) =>
      void (cloud.meanwhile = () => void gate.hold(holdOrder({ epoch: 1, leaseMs: 10, maxWaiting: 1 }))),
    /must have the dry run of epoch \d+, got none: a hold or a process of the task began meanwhile/,
  ],
  [
    'was asked by another one meanwhile',
    (cloud, { gate }) =>
      void (cloud.meanwhile = () => void gate.hold(holdOrder({ epoch: 1, leaseMs: 10, maxWaiting: 1, dryRun: true }))),
    /got that of epoch 1: another dry run was started meanwhile/,
  ],
  [
    'counts on',
    (_, { gate }) =>
      void (gate.dryRunReport = ((read) => () => {
        const report = read();
        return report && { ...report, isOver: false };
      })(gate.dryRunReport.bind(gate))),
    /must end with its lease, got one that counts on/,
  ],
])('a task that %s is unknown, and the others are not', async (_, arrange, problem) => {
  const cloud = new Counting({ s1: 5, s2: 2 });
  arrange(cloud, cloud.members[0]!);
  const [first, second] = await cloud.findTasks();
  expect(first).toEqual({ id: 's1', side: 'source', problem: expect.stringMatching(problem) as string });
  expect(second).toMatchObject({ id: 's2', full: 0 });
  expect(cloud.closed).toBe(2);
  for (const { gate } of cloud.members) gate.stop();
});

test('while a switch is under way no task is asked', async () => {
  const cloud = new Counting({ s1: 5 });
  const limits = { maxWaiting: 1, maxWaitMs: 1, maxHoldMs: 1 };
  cloud.switches.regime = beginSwitch(FIRST_REGIME, 7, { to: 'target', execution: 'move-1', leaseMs: 1_000, limits });
  cloud.members[0]!.before = () => Promise.reject(new Error('asked'));
  expect(await cloud.count()).toEqual({
    rejection: "no switch must be under way for a dry run, got that of 'move-1' to the target (epoch 7)",
  });
});

test('a store that cannot be read, and sides without tasks, count nothing', async () => {
  const cloud = new Counting({});
  expect(await cloud.count()).toEqual({ rejection: 'a proxy task must run for a dry run, got none' });
  cloud.switches.before = () => Promise.reject(new Error('S3 is away'));
  await expect(cloud.count()).rejects.toThrow('S3 is away');
});

test.each([0, 26, 1.5, '2', undefined])('%p seconds are rejected', async (seconds) => {
  await expect(holdDryRun({ seconds: seconds as number }, new Counting({ s1: 1 }).ports)).rejects.toThrow(
    `'seconds' must be an integer from 1 to 25, got ${JSON.stringify(seconds)}`,
  );
});
