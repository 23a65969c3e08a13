import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { readResponse } from '../../../core/approval/approval';
import { approve } from '../../../lambda/steps/approve';
import { Command, ROOT, run, temporaryFolder } from '../../rehearsal/command';
import { until } from '../../support/until';
import { PLAN, baking } from './baking';
import { Night, OPERATOR, lockOf, startNight } from './night';

let night: Night;
beforeEach(async () => {
  night = await startNight(PLAN);
});
afterEach(() => night.cloud.stop());

const start = (...flags: string[]) => run(['start', '--stack', 'shop', '--yes', ...flags]);
const executions = () => [...night.cloud.statesModel.executions.values()];
const json = ({ output }: { readonly output: string }) => JSON.parse(output.slice(output.indexOf('{\n'))) as object;

describe('start', () => {
  test('starts the deployed plan in the name of the caller, and says what it does', async () => {
    const { code, output } = await start('--name', 'move-1');
    expect([code, output.split('\n')]).toEqual([
      0,
      [
        "Start the cutover 'move-1' of 'shop': all traffic from the source to the target, from 100/0 to 0/100 (source/target).",
        'In 2 stages: 90/10, 0/100.',
        expect.stringMatching(/^Then the source is drained\. In all about .* the traffic returns to the source\.$/),
        'It waits for an approval at: lastStage.',
        "started 'move-1'. Watch it: drainshift watch --stack shop --execution move-1",
        '',
      ],
    ]);
    expect(executions()).toMatchObject([{ name: 'move-1', input: JSON.stringify({ startedBy: OPERATOR }) }]);
  });

  test('a plan of a file replaces the deployed one, and is rejected where it breaks a rule or is less careful', async () => {
    const folder = temporaryFolder();
    const file = (name: string, plan: object) => {
      writeFileSync(join(folder, name), JSON.stringify(plan));
      return join(folder, name);
    };
    const [good, weak, wrong] = await Promise.all([
      start('--plan', file('good.json', { ...PLAN, pollSeconds: 10 }), '--name', 'good', '--json'),
      start('--plan', file('weak.json', { stages: PLAN.stages })),
      start('--plan', file('wrong.json', { ...PLAN, pollSeconds: 0 })),
    ]);
    expect(good).toMatchObject({ code: 0 });
    expect(json(good)).toMatchObject({
      stack: 'shop',
      execution: 'good',
      startedBy: OPERATOR,
      plan: { pollSeconds: 10 },
    });
    expect(executions().map(({ input }) => JSON.parse(input) as object)).toEqual([
      { plan: { ...PLAN, pollSeconds: 10 }, startedBy: OPERATOR },
    ]);
    expect([weak.code, wrong.code]).toEqual([1, 64]);
    expect(weak.output).toMatch(/^drainshift: 'approval/);
    expect(wrong.output).toMatch(/^drainshift: 'pollSeconds' must be /);
  });

  test('is rejected while another one holds the lock, and under a name that was used', async () => {
    night.write('evidence/move-1.json', {});
    expect(await start('--name', 'move-1')).toEqual({
      code: 1,
      output: "drainshift: '--name' must be one that no cutover had, got 'move-1', which has evidence\n",
    });
    night.write('lock.json', lockOf('move-2'));
    const { code, output } = await start();
    expect(code).toBe(1);
    expect(output).toBe(
      "drainshift: the lock must be free, got one held by 'move-2' since 2026-01-01T00:00:00.000Z: 'drainshift status' says what it does\n",
    );
    expect(executions()).toEqual([]);
  });

  test('is rejected before a question where the weights are not those that the plan begins with', async () => {
    const rule = 'drainshift: the weights in force must be 100/0, with which the plan begins, got';
    night.shift(0, 100);
    expect(await start()).toEqual({ code: 1, output: `${rule} 0/100: all traffic is on the target already\n` });
    night.shift(50, 50);
    const set = 'drainshift weights set --stack shop --source 100 --target 0';
    expect(await start()).toEqual({ code: 1, output: `${rule} 50/50: before it starts run: ${set}\n` });
    expect(executions()).toEqual([]);
    // The same shares in other numbers are the same weights.
    night.shift(1, 0);
    expect((await start()).code).toBe(0);
  });

  test('a start whose response is lost is looked for, and one that AWS throttles says what to do', async () => {
    const throttle = { kind: 'status', status: 503, code: 'ServiceUnavailable' } as const;
    const input = JSON.stringify({ startedBy: OPERATOR });
    Object.assign(night.put('move-3', 'Lock'), { input });
    // Of another day: it is not the one that was started now.
    Object.assign(night.put('move-5', 'Lock'), { input, startedAt: new Date('2026-02-01T00:00:00Z') });
    night.end('move-5', 'FAILED', 'RolledBack');
    night.cloud.endpoint.faults.set({ action: 'StartExecution' }, throttle);
    const [started, lost, used] = await Promise.all(
      ['move-3', 'move-4', 'move-5'].map((name) => start('--name', name)),
    );
    expect([started!.code, lost!.code, used!.code]).toEqual([0, 1, 1]);
    expect(used!.output).toContain("must be one that no cutover had, got 'move-5', which has ended: rolledBack");
    expect(started!.output).toContain("started 'move-3'");
    const rule = 'drainshift: Step Functions must respond to StartExecution, got 503 ServiceUnavailable';
    const advice = 'It may have started all the same: drainshift status --stack shop --execution move-4';
    expect(lost!.output).toContain(rule);
    expect(lost!.output).toContain(`${advice}\nAWS did not respond as it should. Run the command again`);
  });
});

describe('status and watch', () => {
  test('one look: weights, lock, state, stage, figures, odds, what it waits for', async () => {
    const { state } = await baking();
    night.put('night', 'WaitToBake', state);
    night.write('lock.json', lockOf('night'));
    night.shift(90, 10);
    const { code, output } = await run(['status', '--stack', 'shop']);
    expect(code).toBe(0);
    expect(output).toMatch(/^cutover {2}'night', for .*$/m);
    expect(output).toMatch(/^state {4}WaitToBake, stage 1 of 2 \(90\/10\)$/m);
    expect(output).toMatch(/^weights {2}90\/10 \(source\/target\) in force$/m);
    expect(output).toMatch(
      /^source {3}4,5\d\d requests, 3 errors, [\d.]+ a second; live 40 http, 5 ws, 0 grpc, 0 sse, 0 streaming$/m,
    );
    expect(output).toMatch(/^judge {4}odds 1 : 1 against it, rolls back at 100 : 1/m);
    expect(output).toMatch(/^next {5}stage 2 at the earliest, at \d\d:\d\d:\d\d UTC, in \d min/m);
    expect(output).toMatch(/^lock {5}held by 'night' since 2026-01-01T00:00:00.000Z$/m);
  });

  test('what cannot be read is unknown, and the rest is said all the same', async () => {
    night.put('night', 'Lock');
    night.cloud.endpoint.faults.set({ action: 'DescribeRules' }, { kind: 'status', status: 503 });
    const { code, output } = await run(['status', '--stack', 'shop', '--json']);
    expect(code).toBe(1);
    const seen = JSON.parse(output) as object;
    expect(Object.keys(seen)).toEqual(['stack', 'at', 'unknown', 'execution']);
    expect(seen).toMatchObject({
      execution: { name: 'night', status: 'RUNNING', state: 'Lock' },
      unknown: [
        expect.stringContaining(
          'the weights and the lock: Elastic Load Balancing must respond to DescribeRules, got 503',
        ),
      ],
    });
  });

  test('a cutover that cannot be read is not taken for none', async () => {
    night.cloud.endpoint.faults.set(
      { action: 'ListExecutions' },
      { kind: 'status', status: 400, code: 'AccessDeniedException' },
    );
    const { code, output } = await run(['status', '--stack', 'shop']);
    expect(code).toBe(1);
    expect(output).toMatch(
      /^cutover {2}unknown\nweights {2}100\/0 .*\nlock {5}free\nunknown {2}the cutover: Step Functions/,
    );
  });

  test('without a cutover it says so, and there is nothing to watch', async () => {
    const [status, watch] = await Promise.all(['status', 'watch'].map((verb) => run([verb, '--stack', 'shop'])));
    expect(status).toEqual({
      code: 0,
      output: 'cutover  none is under way\nweights  100/0 (source/target) in force\nlock     free\n',
    });
    expect(watch).toEqual({
      code: 1,
      output:
        "drainshift: 'shop' must have a cutover under way, got none: 'drainshift history' lists those that have ended\n",
    });
  });

  test('watches to the end in lines or JSON lines, and its exit code is the outcome', async () => {
    const { state } = await baking();
    night.put('night', 'Bake', state);
    const [lines, objects] = [[], ['--json']].map((flags) => new Command(['watch', '--stack', 'shop', ...flags]));
    await Promise.all([
      lines!.says(/Bake, stage 1 of 2 \(90\/10\); weights 100\/0; source 4,500/),
      objects!.says(/"Bake"/),
    ]);
    night.end('night', 'FAILED', 'RolledBack', 'TargetWorse: \u001b[2Jno');
    const [ended, read] = await Promise.all([lines!.ended, objects!.ended]);
    expect([ended.code, read.code]).toEqual([2, 2]);
    expect(ended.output).toMatch(/^\d\d:\d\d:\d\d UTC {2}ended: rolledBack: TargetWorse: +\[2Jno;/m);
    const shown = await run(['status', '--stack', 'shop', '--execution', 'night']);
    expect(shown.output).toMatch(
      /^cutover {2}'night', which took .+ and ended at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$/m,
    );
    const all = read.output
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { execution: object });
    expect(all[0]).toMatchObject({
      stack: 'shop',
      execution: { sides: { target: { requests: 500, errors: 2 } }, live: { target: { kinds: { websocket: 7 } } } },
    });
    expect(all.at(-1)!.execution).toMatchObject({ name: 'night', status: 'FAILED', outcome: 'rolledBack' });
  });

  test('on a terminal it is drawn anew in its place, and Ctrl-C leaves the cutover alone', async () => {
    const { state } = await baking();
    night.put('night', 'Bake', state);
    // In place of the shell: one that waits says of Ctrl-C what it likes.
    const command = `exec '${process.execPath}' dist/bin/drainshift.js watch --stack shop`;
    const terminal = spawn('script', ['-qec', command, '/dev/null'], {
      cwd: ROOT,
      env: process.env,
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    let output = '';
    let end: string | undefined;
    terminal.stdout.on('data', (chunk) => (output += String(chunk)));
    const ended = new Promise((resolve) => terminal.on('close', resolve));
    void ended.then((code) => (end = `exit code ${String(code)}: ${output}`));
    await until(
      () => /\u001b\[\d+A\u001b\[0J/.test(output),
      () => end,
    );
    expect(stripVTControlCharacters(output)).toMatch(/^state {4}Bake, stage 1 of 2 \(90\/10\)/m);
    terminal.stdin.write('\u0003');
    expect(await ended).toBe(1);
    expect(output).toContain("not watched any more: 'night' goes on");
  });
});

test('an approval finds the gate that the cutover waits at, and shows a person what both sides did', async () => {
  const { memory, state } = await baking();
  const asking = await approve({ ...state, verdict: 'approve' }, memory.ports, Date.now());
  expect(asking.approval?.gate).toBe('lastStage');
  night.put('night', 'WaitForLastApproval', asking);
  const { code, output } = await run(['reject', '--stack', 'shop', '--yes']);
  expect([code, output]).toEqual([0, expect.stringContaining("rejected 'lastStage' of 'night' as arn:aws:iam::")]);
  expect(output).toContain('Then it rolls back to 100/0, and all traffic is on the source.\n');
  expect(output).toMatch(/^target {3}500 requests, 2 errors/m);
  const text = JSON.stringify(night.read('approval/night/last-stage.json'));
  expect(readResponse({ text, writtenAtMs: Date.now() }, asking.approval!, asking.plan.approval)).toMatchObject({
    decision: 'reject',
  });
});

test('an approval counts from the beginning of the state that asks, before it has polled once', async () => {
  const { state } = await baking();
  night.put('night', 'ApproveLastStage', { ...state, verdict: 'approve' });
  const { code, output } = await run(['approve', '--stack', 'shop', '--yes', '--gate', 'lastStage']);
  expect([code, output]).toEqual([0, expect.stringContaining("approved 'lastStage' of 'night'")]);
});

test('a response that nothing waits for is not written, whether or not it is named', async () => {
  const { memory, state } = await baking();
  night.put('night', 'Bake', state);
  night.put('asks', 'WaitForApproval', await approve({ ...state, verdict: 'approve' }, memory.ports, Date.now()));
  night.put('over', 'Bake', state);
  night.end('over', 'FAILED', 'RolledBack');
  const named = (execution: string, gate: string) => ['--execution', execution, '--gate', gate];
  const respond = (...flags: string[]) => run(['approve', '--stack', 'shop', '--yes', ...flags]);
  night.write('lock.json', lockOf('night'));
  const all = await Promise.all([
    respond(),
    respond(...named('night', 'lastStage')),
    respond(...named('asks', 'stage2')),
    respond(...named('over', 'lastStage')),
    respond(...named('nope', 'lastStage')),
  ]);
  expect(all).toEqual(
    [
      "'night' must wait for an approval, got Bake",
      "'night' must wait for an approval at 'lastStage', got Bake",
      "'asks' must wait for an approval at 'stage2', got one that waits at 'lastStage'",
      "'over' must wait for an approval at 'lastStage', got one that has ended: rolledBack",
      "'nope' must wait for an approval at 'lastStage', got one that Step Functions does not know",
    ].map((said) => ({ code: 1, output: `drainshift: ${said}\n` })),
  );
  night.cloud.endpoint.faults.set({ service: 'states' }, { kind: 'status', status: 503 });
  const away = await respond(...named('asks', 'lastStage'));
  expect([away.code, away.output]).toEqual([0, expect.stringContaining("counts if it waits at 'lastStage'")]);
});

test('watch of a name that Step Functions does not know says so, and not that it goes on', async () => {
  const { code, output } = await run(['watch', '--stack', 'shop', '--execution', 'nope']);
  const said = "'--execution' must be a cutover of 'shop', got 'nope', which Step Functions does not know";
  expect([code, output]).toEqual([1, `drainshift: ${said}\n`]);
});

describe('abort', () => {
  const abort = (...flags: string[]) => run(['abort', '--stack', 'shop', '--yes', ...flags]);

  test('writes the marker that every step looks for, and does not end the execution', async () => {
    const { state } = await baking();
    night.put('night', 'Bake', state);
    const { code, output } = await abort();
    expect([code, output.split('\n')]).toEqual([
      0,
      [
        "Stop 'night' of 'shop': the proxies of the source serve again, and the weights roll back to 100/0 (source/target).",
        "asked 'night' to stop: it rolls back at its next poll. Watch it: drainshift watch --stack shop --execution night",
        '',
      ],
    ]);
    expect(night.read('abort/night.json')).toMatchObject({ by: OPERATOR });
    expect(executions()).toMatchObject([{ status: 'RUNNING' }]);
  });

  test('needs no Step Functions: the lock names the cutover', async () => {
    night.write('lock.json', lockOf('night'));
    night.cloud.endpoint.faults.set({ service: 'states' }, { kind: 'status', status: 503 });
    const { code, output } = await abort();
    expect(code).toBe(0);
    expect(output).toMatch(
      /Step Functions must respond to DescribeExecution, got 503.*; it is asked to stop all the same/,
    );
    expect(night.read('abort/night.json')).toBeDefined();
  });

  test('one that has passed Verify completes: nothing is asked of it', async () => {
    const { state } = await baking();
    night.put('night', 'Complete', { ...state, isVerified: true, verdict: 'verified' });
    expect(await abort()).toEqual({
      code: 1,
      output:
        "drainshift: 'night' must not have passed Verify to be stopped, got one that has: it completes. Roll it back afterwards: drainshift rollback --stack shop\n",
    });
    expect(night.read('abort/night.json')).toBeUndefined();
  });

  test('one that has ended, or never was, is left alone', async () => {
    night.put('night', 'Bake');
    night.end('night', 'SUCCEEDED');
    const [ended, never] = await Promise.all([abort('--execution', 'night'), abort('--execution', 'day')]);
    expect(ended.output).toBe(
      "drainshift: 'night' must be under way to be stopped, got one that has ended: completed\n",
    );
    expect(never.output).toBe("drainshift: '--execution' must be a cutover of 'shop', got 'day'\n");
    expect([ended.code, never.code]).toEqual([1, 1]);
    expect(night.read('abort/night.json')).toBeUndefined();
  });
});
