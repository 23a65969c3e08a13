import type { CutoverConfig } from '../../core/cutover/cutover-config';
import type { HoldDryRun } from '../../core/cutover/hold-dry-run';
import type { HoldDryRunResult } from '../../lambda/steps/hold-dry-run';
import { deployedCutover } from '../rehearsal/aws/deployed';
import { ARNS, REGION, LocalCloud, startLocalCloud } from '../rehearsal/aws/world';
import { Command, run } from '../rehearsal/command';

const config = { weightedRuleArn: ARNS.rule, storeBucket: 'store' } as CutoverConfig;
const COUNTED: HoldDryRun = {
  seconds: 1,
  rules: { maxPauseMs: 5_000, maxWaiting: 100 },
  isPlanned: true,
  tasks: [
    { id: 't0', side: 'target', waiting: 0, full: 0, longestRequestMs: 0 },
    { id: 's0', side: 'source', waiting: 12, full: 0, longestRequestMs: 812 },
  ],
};

let cloud: LocalCloud;
/** What the stack's function returns, and how it was called. */
let response: () => Promise<HoldDryRunResult>;
let invoked: [string, unknown][];
beforeEach(async () => {
  const stacks = [
    deployedCutover('shop', { ...config, holdDryRunFunctionName: 'dry' }),
    deployedCutover('old', config),
  ];
  response = () => Promise.resolve(COUNTED);
  invoked = [];
  const invoke = async (arn: string, event: unknown) => {
    invoked.push([arn, event]);
    return response();
  };
  cloud = await startLocalCloud({ stacks: () => stacks, invoke });
  Object.assign(process.env, { AWS_REGION: REGION, AWS_ACCESS_KEY_ID: 'OPERATOR', AWS_SECRET_ACCESS_KEY: 'none' });
  delete process.env.AWS_ENDPOINT_URL;
});
afterEach(() => cloud.stop());

const flags = (...more: string[]) => ['hold', '--endpoint-url', cloud.url, ...more];

test('prints what would have waited at each task and in all, and what it means', async () => {
  expect(await run(flags('--dry-run', '--stack', 'shop'))).toEqual({
    code: 0,
    output: [
      'TASK   SIDE     WOULD WAIT  OVER THE CAP  LONGEST REQUEST',
      's0     source           12             0           812 ms',
      't0     target            0             0             0 ms',
      'in 1s  2 tasks          12             0           812 ms',
      '',
      'The longest request of the last minute took 812 ms, within switch.maxPauseMs (5000 ms): a switch waits about so long for it.',
      'In the longest pause (5000 ms) about 60 requests wait at the busiest task (s0), within switch.maxWaiting (100).',
      '',
    ].join('\n'),
  });
  expect(invoked).toEqual([[expect.stringMatching(/:dry$/), { seconds: 1 }]]);
});

test('a task that is unknown is named, what it says prints as one line, and the exit code is 1', async () => {
  const unknown = { id: 's1', side: 'source', problem: 's1 must respond,\u001b[2J got\nnothing' } as const;
  response = () => Promise.resolve({ ...COUNTED, tasks: [...COUNTED.tasks, unknown] });
  const { code, output } = await run(flags('--dry-run', '--stack', 'shop'));
  expect(code).toBe(1);
  expect(output).toMatch(/^s1 +source +unknown: s1 must respond, \[2J got nothing$/m);
  expect(output).toMatch(/^in 1s {2}3 tasks, 1 unknown +12 +0 +812 ms$/m);
  const json = await run(flags('--dry-run', '--stack', 'shop', '--for', '2s', '--json'));
  expect(JSON.parse(json.output)).toMatchObject({
    stack: 'shop',
    waiting: 12,
    full: 0,
    unknown: 1,
    tasks: [{}, {}, unknown],
  });
  expect(json.code).toBe(1);
  expect(invoked.at(-1)![1]).toEqual({ seconds: 2 });
});

test('a person who waits sees that it goes on, and may leave', async () => {
  response = () => new Promise(() => undefined);
  const waiting = new Command(flags('--dry-run', '--stack', 'shop', '--for', '25'));
  await waiting.says(/^\ds {2}every task counts for 25s$/m);
  waiting.signal('SIGINT');
  const { code, output } = await waiting.ended;
  expect(code).toBe(1);
  expect(output).toMatch(/^drainshift: not followed any more: the tasks end their count by themselves$/m);
});

test('what rejects a dry run is said, and so is a stack without its function', async () => {
  response = () => Promise.resolve({ rejection: 'no switch must be under way for a dry run, got one' });
  const [rejected, old] = await Promise.all(['shop', 'old'].map((name) => run(flags('--dry-run', '--stack', name))));
  expect(rejected).toEqual({
    code: 1,
    output: 'drainshift: no switch must be under way for a dry run, got one\n',
  });
  expect(old).toEqual({
    code: 1,
    output:
      "drainshift: 'old' must have a function for a dry run of a hold, got a stack of an older version: deploy it again\n",
  });
});

test('wrong use is said, and nothing is called', async () => {
  const times = ['0', '26s', '1.5', '500ms'];
  const [bare, ...wrong] = await Promise.all([
    run(flags('--stack', 'shop')),
    ...times.map((time) => run(flags('--dry-run', '--stack', 'shop', '--for', time))),
  ]);
  expect(bare).toEqual({
    code: 64,
    output:
      "drainshift: '--dry-run' must be given, got none: a hold is part of a switch, which a cutover by a plan with drainThenShift makes\n",
  });
  wrong.forEach(({ code, output }, at) => {
    expect(code).toBe(64);
    expect(output).toContain(`must be whole seconds from 1s to 25s, got '${times[at]}'`);
  });
  expect(invoked).toEqual([]);
});
