import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { readFileSync, writeFileSync } from 'node:fs';
import { Evidence, buildEvidence } from '../../../core/cutover/evidence';
import { looksKey, looksPrefix } from '../../../core/cutover/looks';
import { verifyVerdicts } from '../../../core/cutover/verify-verdicts';
import { CutoverRun, note } from '../../../core/cutover/run';
import { findAdvice } from '../../../bin/shared/operator-command';
import { CutoverError } from '../../../core/errors/errors';
import { readResponse } from '../../../core/approval/approval';
import { shift } from '../../../lambda/steps/shift';
import { confirm } from '../../../lambda/steps/confirm';
import { bake } from '../../../lambda/steps/bake';
import { approve } from '../../../lambda/steps/approve';
import { runToTheEnd } from '../../lambda/judged-traffic';
import { MemoryCloud, report } from '../../lambda/world';
import { Command, ROOT, run, temporaryFolder } from '../../rehearsal/command';
import { until } from '../../support/until';
import { Night, OPERATOR, lockOf, startNight } from './night';

const PLAN = {
  stages: [
    { weights: { source: 90, target: 10 }, bakeSeconds: 600 },
    { weights: { source: 0, target: 100 }, bakeSeconds: 600 },
  ],
  approval: { beforeLastStage: true },
};

let night: Night;
/** What the function of `doctor` returns. */
let diagnosis: () => Promise<unknown>;
let asked: unknown[];
beforeEach(async () => {
  asked = [];
  const invoke = (arn: string, event: unknown) => {
    asked.push([arn.split(':').at(-1), event]);
    return diagnosis();
  };
  night = await startNight(PLAN, { invoke });
});
afterEach(() => night.cloud.stop());

/** As the steps return it: in the bake of its first stage, with traffic. */
async function baking(): Promise<{ readonly memory: MemoryCloud; readonly state: CutoverRun }> {
  const memory = new MemoryCloud();
  memory.nowMs = Date.now() - 60_000;
  const ready = note(memory.ready(PLAN), memory.nowMs, 'Lock', { startedBy: OPERATOR });
  const confirmed = await confirm(await shift(ready, memory.ports, memory.nowMs), memory.ports, memory.nowMs);
  memory.nowMs += 30_000;
  memory.tasks = {
    source: [report('s1', { total: 4500, errors: 3, active: { http: 40, websocket: 5 } })],
    target: [report('t1', { total: 500, errors: 2, active: { websocket: 7 } })],
  };
  return { memory, state: await bake(confirmed, memory.ports, memory.nowMs) };
}

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

describe('doctor', () => {
  const doctor = (...flags: string[]) => run(['doctor', '--stack', 'shop', ...flags]);

  test('asks the function with the deployed plan, and its exit code says what came of it', async () => {
    diagnosis = () => Promise.resolve({ readiness: 'ready', findings: [], notChecked: ['the probe write'] });
    expect(await doctor()).toEqual({
      code: 0,
      output:
        'ready: a preflight would find nothing\nnot checked, because it would change something:\n  the probe write\n',
    });
    expect(asked).toEqual([['doctor', { plan: PLAN }]]);
    // What rejects nothing is said, and changes no exit code.
    const warnings = ['stage 1 (5 %) gets about 3 requests'];
    diagnosis = () => Promise.resolve({ readiness: 'ready', findings: [], warnings, notChecked: [] });
    expect(await doctor()).toEqual({
      code: 0,
      output:
        'ready: a preflight would find nothing\n' +
        'WARNING, at the traffic of now (it rejects nothing: the rate of the night may differ):\n' +
        '  stage 1 (5 %) gets about 3 requests\n',
    });
    const findings = [{ code: 'SmokeFailed', message: 'the target must respond,\u001b[2J got 500' }];
    diagnosis = () => Promise.resolve({ readiness: 'refused', findings, notChecked: [] });
    expect(await doctor()).toEqual({
      code: 5,
      output: 'a cutover would be REJECTED:\n  SmokeFailed: the target must respond, [2J got 500\n',
    });
  });

  test('what keeps it from finding out is a code of its own, also as JSON', async () => {
    diagnosis = () => Promise.resolve({ readiness: 'unknown', findings: [], notChecked: [] });
    const unknown = await doctor('--json');
    expect([unknown.code, JSON.parse(unknown.output)]).toEqual([
      7,
      { stack: 'shop', readiness: 'unknown', findings: [], notChecked: [] },
    ]);
    night.cloud.endpoint.faults.set(
      { action: 'DescribeStacks' },
      { kind: 'status', status: 400, code: 'AccessDenied' },
    );
    const denied = await doctor();
    expect(denied.output).toContain("Your identity lacks this right: see 'Rights' in docs/operating.md.");
    expect(denied.code).toBe(7);
    expect(denied.output).toMatch(/CloudFormation must respond to DescribeStacks, got 400 AccessDenied/);
  });

  test('a stack that is not there is named with the place, and what needs no one is no failure', async () => {
    diagnosis = () => Promise.resolve({ readiness: 'underWay', findings: [], notChecked: [] });
    const [wrong, none, underWay] = await Promise.all([
      run(['doctor', '--stack', 'nope']),
      doctor('--cutover', 'nope'),
      doctor(),
    ]);
    expect([wrong, none]).toEqual([
      {
        code: 1,
        output:
          "drainshift: '--stack' must be a stack in eu-central-1, got 'nope', which does not exist there; '--region' and '--profile' choose another region and account\n",
      },
      { code: 1, output: "drainshift: 'shop' must have an output nope, got MigrationCutoverConfig1A2B3C4D\n" },
    ]);
    expect(underWay.code).toBe(0);
  });

  test('a plan that is less careful than the deployed one would be rejected', async () => {
    const file = join(temporaryFolder(), 'weak.json');
    writeFileSync(file, JSON.stringify({ stages: PLAN.stages }));
    const { code, output } = await doctor('--plan', file);
    expect([code, output]).toEqual([5, expect.stringContaining("  PlanInvalid: 'approval")]);
    expect(asked).toEqual([]);
  });
});

test('history lists what the evidence and Step Functions know, and evidence and report read the last one', async () => {
  const { state } = await baking();
  const evidence = buildEvidence(state, 'rolled-back', Date.now());
  night.write(`evidence/${state.execution}.json`, evidence);
  // Stopped, and put back by the recovery: the evidence is what counts.
  night.put(state.execution, 'Bake', state);
  night.end(state.execution, 'ABORTED');
  Object.assign(night.put('later', 'Lock'), {
    startedAt: new Date('2026-02-01T00:00:00Z'),
    input: '{"startedBy":"ann"}',
  });
  const folder = temporaryFolder();
  const [listed, table, file, printed, page] = await Promise.all([
    run(['history', '--stack', 'shop', '--json']),
    run(['history', '--stack', 'shop', '--max', '1']),
    run(['evidence', '--stack', 'shop', '--output', join(folder, 'e.json'), '--json']),
    run(['evidence', '--stack', 'shop', '--execution', state.execution]),
    run(['report', '--stack', 'shop', '--output', join(folder, 'e.html')]),
  ]);
  expect(json(listed)).toMatchObject({
    cutovers: [
      { execution: 'later', outcome: 'under way', startedBy: 'ann' },
      { execution: state.execution, outcome: 'rolledBack', startedBy: OPERATOR },
    ],
  });
  expect(table.output).toMatch(
    /^STARTED \(UTC\) +CUTOVER +OUTCOME +TOOK +STARTED BY +BECAUSE\n2026-02-01 00:00:00 +later +under way/,
  );
  expect([listed, table, file, printed, page].map(({ code }) => code)).toEqual([0, 0, 0, 0, 0]);
  expect(JSON.parse(file.output)).toEqual({
    stack: 'shop',
    execution: state.execution,
    output: join(folder, 'e.json'),
  });
  expect(JSON.parse(printed.output)).toEqual(JSON.parse(JSON.stringify(evidence)));
  expect(JSON.parse(readFileSync(join(folder, 'e.json'), 'utf8'))).toEqual(JSON.parse(printed.output));
  expect(readFileSync(join(folder, 'e.html'), 'utf8')).toMatch(/^<!doctype html>[^]*rolled-back/);
  night.write('evidence/broken.json', { schema: evidence.schema, execution: 'broken', timeline: [null] });
  const [broken, again, none, html] = await Promise.all([
    run(['history', '--stack', 'shop', '--max', '2']),
    run(['evidence', '--stack', 'shop', '--output', join(folder, 'e.json')]),
    run(['report', '--stack', 'shop', '--execution', 'later']),
    run(['report', '--stack', 'shop', '--json']),
  ]);
  expect([html.code, html.output]).toEqual([64, expect.stringContaining("'--output' must be given with '--json'")]);
  expect([broken.code, broken.output]).toEqual([
    0,
    expect.stringMatching(
      /^unknown +broken +unknown.* its evidence is damaged: 'startedAt' must be a time, got nothing$/m,
    ),
  ]);
  expect([again.code, again.output]).toEqual([64, expect.stringContaining("'--output' must not exist, or --force")]);
  expect([none.code, none.output]).toEqual([1, expect.stringContaining("'later' must have left evidence, got none")]);
});

test('evidence and report have what the objects of the store have, and say which are gone', async () => {
  const { evidence, looks } = await runToTheEnd();
  night.write('evidence/night.json', evidence[0]!);
  looks.forEach((records, at) => night.write(looksKey(looksPrefix('night'), at + 1), records));
  const whole = await run(['evidence', '--stack', 'shop']);
  const fetched = JSON.parse(whole.output) as Evidence;
  expect(verifyVerdicts(fetched)).toMatchObject({ differences: [], contradictions: [], missing: [] });
  expect(fetched.looks).toEqual(JSON.parse(JSON.stringify([...looks.flat(), ...evidence[0]!.looks!])));
  night.cloud.objects.put('store', looksKey(looksPrefix('night'), 2), Buffer.from('[{"kind":'));
  const [cut, page] = await Promise.all([run(['evidence', '--stack', 'shop']), run(['report', '--stack', 'shop'])]);
  const says = `1 of ${looks.length} objects of polls must be in the store, got none or damaged ones, as 'looks/night/000002.json'`;
  expect([cut.code, (JSON.parse(cut.output) as Evidence).looksMissing]).toEqual([0, says]);
  expect([page.code, page.output]).toEqual([0, expect.stringContaining('looks/night/000002.json')]);
});

test.each([
  ['', 'it must be JSON, got an empty file'],
  ['{"schema":"drainshift/ev', 'it must be whole JSON, got Unterminated string'],
  ['[]', 'evidence must be a JSON object, got []'],
  ['{"schema":"drainshift/evidence/1","looksIn":7}', "'looksIn' must be an object with 'prefix'"],
])('damaged evidence (%s) is written as it is, drawn by no report, and said in the history', async (text, said) => {
  night.cloud.objects.put('store', 'evidence/cut.json', Buffer.from(text));
  const [written, report, history] = await Promise.all(
    ['evidence', 'report', 'history'].map((verb) => run([verb, '--stack', 'shop'])),
  );
  expect([written!.code, report!.code, history!.code]).toEqual([1, 1, 0]);
  expect(written!.output).toContain(text);
  for (const { output } of [written!, report!]) {
    expect(output).toContain(`drainshift: the evidence of 'cut' is damaged: ${said}`);
  }
  expect(history!.output).toContain(`its evidence is damaged: ${said}`);
});

test('a lock that an ended cutover has kept: every command says how it is freed', async () => {
  night.put('stuck', 'Rollback');
  night.end('stuck', 'FAILED', 'RollbackUnsafe');
  night.write('lock.json', lockOf('stuck'));
  const verbs = ['weights set --source 1 --target 0 --force --yes', 'undrain', 'start --yes', 'abort --yes'];
  const all = await Promise.all(verbs.map((verb) => run([...verb.split(' '), '--stack', 'shop'])));
  night.shift(0, 100);
  for (const { code, output } of [...all, await run(['rollback', '--stack', 'shop', '--yes'])]) {
    expect(code).toBe(1);
    expect(output).toContain(
      "held by 'stuck' since 2026-01-01T00:00:00.000Z, which has ended as RollbackUnsafe and keeps the lock, because a person has to decide. Look at the weights, and free the lock: aws s3 rm s3://store/lock.json. Then run this command again",
    );
  }
});

test('where no call can be made it is said what is wrong, and not that AWS is away', async () => {
  const status = (...flags: string[]) => run(['status', '--stack', 'shop', ...flags]);
  const [profile, host, url, region] = await Promise.all([
    withoutKeys(() => status('--profile', 'nope')),
    status('--endpoint-url', 'http://eu-centrl-1.invalid'),
    status('--endpoint-url', 'notaurl'),
    status('--region', 'eu central'),
  ]);
  expect([profile.code, host.code, url.code, region.code]).toEqual([1, 1, 64, 64]);
  expect(profile.output).toMatch(/\nGive credentials as to the AWS CLI: '--profile'/);
  expect(host.output).toMatch(/\nNo address is known for this host: check '--region'/);
  expect(url.output).toContain('must be a URL of http or https, got "notaurl"');
  expect(region.output).toContain('must be a region, such as eu-central-1, got "eu central"');
});

/** A process has the environment of its start. */
function withoutKeys<T>(work: () => T): T {
  const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY } = process.env;
  delete process.env.AWS_ACCESS_KEY_ID;
  delete process.env.AWS_SECRET_ACCESS_KEY;
  try {
    return work();
  } finally {
    Object.assign(process.env, { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY });
  }
}

test.each([
  ['CredentialsProviderError', 'The SSO session associated with this profile has expired', 'sign in again'],
  ['CredentialsProviderError', "Token is expired. To refresh this SSO session run 'aws sso login'", 'sign in again'],
  ['CredentialsProviderError', 'Could not load credentials from any providers', 'Give credentials'],
  ['ExpiredTokenException', 'The security token included in the request is expired', 'sign in again'],
  ['InvalidClientTokenId', 'The security token included in the request is invalid', 'does not accept your credentials'],
  ['Error', 'connect ECONNREFUSED', 'AWS did not respond'],
])('%s (%s): its advice is found behind the error that it caused', (name, message, advice) => {
  const cause = Object.assign(new Error(message), { name });
  expect(findAdvice(new CutoverError('AwsUnavailable', 'CloudFormation must respond', { cause }))).toContain(advice);
});
