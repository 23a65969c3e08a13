import { RollbackRequest, rollBackCutover } from '../../../bin/cutover/rollback-run';
import type { ExecutionLook } from '../../../core/cutover/execution-look';
import { begin } from '../../../core/cutover/run';
import { parsePlan } from '../../../core/plan/plan';
import { reversePlan } from '../../../core/plan/reverse-plan';
import { FIRST_REGIME } from '../../../core/switch/regime';
import type { LockHolder } from '../../../core/traffic/lock';
import type { RollbackPorts } from '../../../lambda/operator';
import { MemoryCloud, arns } from '../../lambda/world';

const SWITCH = { strategy: 'drainThenShift', switch: { pointOfNoReturn: 'shared' } };
const ON_TARGET = [{ arn: arns.target, weight: 100 }];
const RUN = { ...begin('back', 'then', reversePlan(parsePlan({}))), stage: { index: 1, shiftedAtMs: 0 } };
const running = (state: string, over: Partial<ExecutionLook> = {}): ExecutionLook => ({
  status: 'RUNNING',
  input: { action: 'rollback' },
  state,
  ...over,
});
const failed = (error: string, cause = 'because'): ExecutionLook => ({ status: 'FAILED', input: {}, error, cause });

/** A deployed cutover, and a person who says yes. `looks` are what the execution is at each poll; an error is thrown. */
function deployed({ plan = {}, groups = ON_TARGET, looks = [] as (ExecutionLook | Error | undefined)[] } = {}) {
  const cloud = new MemoryCloud();
  cloud.forward = { ...cloud.forward, groups };
  const started: [string, object][] = [];
  const said: string[] = [];
  const leaving = new AbortController();
  const state = { lock: undefined as LockHolder | undefined, regime: FIRST_REGIME, says: true, prompt: '', nowMs: 0 };
  const ports = {
    loadBalancer: cloud.ports.loadBalancer,
    lock: { heldByAnother: () => Promise.resolve(state.lock) },
    regime: () => Promise.resolve(state.regime),
    describeHeld: ({ execution }: LockHolder) => Promise.resolve(`kept by '${execution}'`),
    executions: {
      deployedPlan: () => Promise.resolve(parsePlan(plan)),
      start: (name: string, input: object) => Promise.resolve(void started.push([name, input])),
      look: () => {
        const look = looks.length > 1 ? looks.shift() : looks[0];
        return look instanceof Error ? Promise.reject(look) : Promise.resolve(look);
      },
    },
  } as unknown as RollbackPorts;
  const request: RollbackRequest = {
    stack: 'shop',
    execution: 'back',
    startedBy: () => Promise.resolve('arn:aws:iam::123456789012:user/ANN'),
    agree: (what) => {
      state.prompt = what.join('\n');
      return Promise.resolve(state.says);
    },
    report: (line) => void said.push(line),
    endInOrder: () => undefined,
    signal: leaving.signal,
    now: () => state.nowMs,
    pause: (ms) => Promise.resolve(void (state.nowMs += ms)),
  };
  return { state, started, said, leave: () => leaving.abort(), roll: () => rollBackCutover(ports, request) };
}

test('starts the deployed plan in the other direction, and follows it to its end', async () => {
  const looks = [running('Shift'), running('WaitToBake', { run: RUN }), running('WaitToBake', { run: RUN })];
  const { roll, started, said } = deployed({ looks: [...looks, { status: 'SUCCEEDED', input: {}, run: RUN }] });
  expect(await roll()).toEqual({ from: 'target', to: 'source', execution: 'back', outcome: 'completed' });
  expect(started).toEqual([['back', { action: 'rollback', startedBy: 'arn:aws:iam::123456789012:user/ANN' }]]);
  expect(said).toEqual([
    "started 'back'. It goes on also without this command",
    '0 s  Shift',
    '2 s  WaitToBake, stage 2 of 4: 50/50',
  ]);
});

test.each([
  ['Refused', 'refused'],
  ['NotStarted', 'refused'],
  ['RolledBack', 'rolledBack'],
  ['Failed', 'failed'],
  ['NotRecorded', 'failed'],
  ['States.Runtime', 'failed'],
  ['constructor', 'failed'],
])('an execution that ends as %s was %s', async (error, outcome) => {
  const { roll } = deployed({ looks: [failed(error)] });
  expect(await roll()).toMatchObject({ outcome, cause: 'because' });
});

test('what it says again and again is repeated every half a minute, and an approval is named', async () => {
  const run = { ...RUN, stage: undefined, approval: { gate: 'firstShift', askedAtMs: 0 } } as const;
  const waiting = Array.from({ length: 20 }, () => running('WaitForApproval', { run }));
  const { roll, said } = deployed({ looks: [...waiting, failed('Refused')] });
  await roll();
  expect(said.slice(1)).toEqual([
    "0 s  WaitForApproval, it waits for an approval at 'firstShift'",
    "30 s  WaitForApproval, it waits for an approval at 'firstShift'",
  ]);
});

describe('what it asks', () => {
  const ask = async (plan: object) => {
    const { roll, state, started } = deployed({ plan, looks: [] });
    state.says = false;
    expect(await roll()).toEqual({ from: 'target', to: 'source', outcome: 'declined' });
    expect(started).toEqual([]);
    return state.prompt;
  };

  test('of a switch: the pause, the watch, and what becomes of the writes', async () => {
    const plan = { ...SWITCH, switch: { pointOfNoReturn: 'shared', maxPauseMs: 1500 } };
    expect(await ask(plan)).toBe(
      [
        "Roll 'shop' back: all traffic from the target to the source, from 0/100 to 100/0 (source/target).",
        'Requests wait for up to 1500 ms, until one decision is written, and then go to the source.',
        'Both sides are watched for 5 min.',
        'Then the target is drained. In all about 10 min 20 s. If the source fails meanwhile, the traffic returns to the target.',
        'What the target has written is kept: both sides have the same store.',
      ].join('\n'),
    );
    expect(await ask({ ...SWITCH, switch: { pointOfNoReturn: 'acceptLoss' } })).toContain(
      'What the target has written is LOST to the other side, as the plan accepts.',
    );
  });

  test('of stages: which, and where it waits for an approval', async () => {
    const prompt = await ask({ approval: { beforeLastStage: true } });
    expect(prompt).toContain('In 4 stages: 10/90, 50/50, 90/10, 100/0.');
    expect(prompt).toContain('It is lost to the other side unless both share their data.');
    expect(prompt).toContain('It waits for an approval at: lastStage.');
  });
});

describe('where the lock is held', () => {
  const held = { execution: 'other', startedAt: 'then' };

  test.each([
    ['by a rollback', { action: 'rollback' }],
    ['by a plan from the target', { plan: { from: 'target' } }],
  ])('%s, that one is followed', async (_, input) => {
    const { roll, state, started } = deployed({ looks: [running('Bake', { input }), { status: 'SUCCEEDED', input }] });
    state.lock = held;
    expect(await roll()).toMatchObject({ isJoined: true, execution: 'other', outcome: 'completed' });
    expect(started).toEqual([]);
  });

  test.each<[string, ExecutionLook | undefined, string]>([
    ['a cutover', running('Bake', { input: {} }), 'a cutover that is under way: abort it instead'],
    ['one that failed', failed('Failed'), "the lock must be free, got one kept by 'other'"],
    ['a person', undefined, "got one held by 'other' since then"],
  ])('by %s nothing is started', async (_, look, message) => {
    const { roll, state, started } = deployed({ looks: [look] });
    state.lock = held;
    await expect(roll()).rejects.toMatchObject({
      code: 'LockHeld',
      message: expect.stringContaining(message) as string,
    });
    expect(started).toEqual([]);
  });
});

describe('where the weights are not those that the cutover ends with', () => {
  test('there is nothing to do when the source has everything', async () => {
    const { roll, started } = deployed({ groups: [{ arn: arns.source, weight: 1 }] });
    expect(await roll()).toEqual({ from: 'target', to: 'source', outcome: 'unchanged' });
    expect(started).toEqual([]);
  });

  test('it is rejected when both sides have some', async () => {
    const groups = [
      { arn: arns.source, weight: 50 },
      { arn: arns.target, weight: 50 },
    ];
    await expect(deployed({ groups }).roll()).rejects.toThrow('must be 0/100, as a cutover leaves them, got 50/50');
  });

  test('with proxies that forward to the target all the same, they are set first', async () => {
    const { roll, state } = deployed({ plan: SWITCH, groups: [{ arn: arns.source, weight: 100 }] });
    state.regime = { epoch: 1, committed: 1, side: 'target', isJoined: true };
    await expect(roll()).rejects.toThrow(
      'the weights must be 0/100, because the proxies of both sides forward to the target, got 100/0. Run: drainshift weights set --stack shop --source 0 --target 100',
    );
  });
});

describe('Step Functions that does not respond', () => {
  test('is asked again for ten minutes, and the rollback goes on', async () => {
    const { roll, said, state } = deployed({
      looks: [new Error('got 503'), new Error('got 503'), { status: 'SUCCEEDED', input: {} }],
    });
    expect(await roll()).toMatchObject({ outcome: 'completed' });
    expect(said).toContain('0 s  not readable now: got 503');
    const away = deployed({ looks: [new Error('got 503')] });
    await expect(away.roll()).rejects.toThrow("got 503. 'back' goes on");
    expect([state.nowMs, away.state.nowMs]).toEqual([4_000, 600_000]);
  });

  test('and does not know the execution is asked for a minute', async () => {
    const late = deployed({ looks: [undefined, { status: 'SUCCEEDED', input: {} }] });
    expect(await late.roll()).toMatchObject({ outcome: 'completed' });
    await expect(deployed({ looks: [undefined] }).roll()).rejects.toThrow("does not know 'back'");
  });
});

test('a person who leaves ends nothing', async () => {
  const { roll, leave, started } = deployed({ looks: [running('Bake')] });
  leave();
  expect(await roll()).toMatchObject({ outcome: 'unfollowed', execution: 'back' });
  expect(started).toHaveLength(1);
});
