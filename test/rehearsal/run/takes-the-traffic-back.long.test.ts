import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { RehearsalEvidence } from '../../../rehearsal/report/evidence';
import { Command, FREE_PORTS, findProxies, shortPlan, synthesize, temporaryFolder } from '../command';

let folder: string;
let app: string;
const commands: Command[] = [];

beforeAll(() => {
  folder = temporaryFolder();
  app = synthesize(folder);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(async () => {
  for (const command of commands.splice(0)) {
    command.signal('SIGKILL');
    await command.ended;
  }
});

function rehearse(...args: string[]): Command {
  const command = new Command(['rehearse', '--app', app, ...FREE_PORTS, ...args]);
  commands.push(command);
  return command;
}
const buildEvidence = (file: string) => JSON.parse(readFileSync(join(folder, file), 'utf8')) as RehearsalEvidence;

let codes: (number | null)[];
// Two at the same time: they mostly wait.
beforeAll(async () => {
  codes = [...(await rehearseFaults('target-errors', 'alarm')), ...(await rehearseFaults('stop', 'proxy-crash-loop'))];
});

async function rehearseFaults(...faults: string[]): Promise<(number | null)[]> {
  // Written once: one of them may read it already when the next one is started.
  const plan = shortPlan(folder);
  const all = faults.map((fault) => rehearse('--fault', fault, ...plan, '--json', join(folder, `${fault}.json`)));
  const ended = await Promise.all(all.map((one) => one.ended));
  for (const { code, output } of ended) expect(code === 2 || code === 3 ? '' : { code, output }).toBe('');
  return ended.map(({ code }) => code);
}

test('a target that responds with errors is rolled back, and the evidence says how long it took', () => {
  const evidence = buildEvidence('target-errors.json');
  expect(codes[0]).toBe(3);
  expect(evidence).toMatchObject({
    outcome: 'rolled-back',
    finalWeights: { source: 100, target: 0 },
  });
  // A smoke request that fails three times in a row may see it first, or the judge, which needs fewer requests than the breaker.
  expect(evidence.failure?.code).toMatch(/^(BreakerTripped|SmokeFailed|TargetWorse)$/);
  expect(evidence.stages.at(-1)?.verdict).toBe('rollBack');
  expect(evidence.traffic.http.failed).toBeGreaterThan(0);
  expect(evidence.traffic.websocket).toMatchObject({ lost: 0, duplicated: 0, dropped: 0 });
  expect(evidence.rollback?.secondsFromFirstBadResponse).toBeGreaterThan(0);
  expect(findProxies(app)).toEqual([]);
});

test('an alarm that is raised after the first shift takes the traffic back, and is named', () => {
  const evidence = buildEvidence('alarm.json');
  expect(codes[1]).toBe(2);
  expect(evidence).toMatchObject({
    outcome: 'rolled-back',
    failure: { code: 'AlarmRaised', message: expect.stringContaining('got a fault of the rehearsal') as string },
    finalWeights: { source: 100, target: 0 },
  });
  expect(evidence.stages.length).toBeGreaterThan(0);
  expect(evidence.traffic).toMatchObject({ http: { failed: 0 }, websocket: { lost: 0, dropped: 0 } });
});

test('an execution that is stopped, which runs no Catch, is put back before the verdict', () => {
  const evidence = buildEvidence('stop.json');
  expect(codes[2]).toBe(2);
  expect(evidence).toMatchObject({
    outcome: 'rolled-back',
    failure: { code: 'Aborted' },
    finalWeights: { source: 100, target: 0 },
    traffic: { http: { failed: 0 }, websocket: { lost: 0, dropped: 0 } },
    rehearsal: { recovery: { outcome: 'restored', status: 'ABORTED' } },
  });
  expect(evidence.rehearsal.weights.map(({ weights }) => weights)).toEqual([
    { source: 100, target: 0 },
    { source: 50, target: 50 },
    { source: 100, target: 0 },
  ]);
});

test('proxies that end soon after each start are for the cutover to judge, which takes the traffic back', () => {
  const evidence = buildEvidence('proxy-crash-loop.json');
  expect(codes[3]).toBe(3);
  expect(evidence).toMatchObject({ outcome: 'rolled-back', finalWeights: { source: 100, target: 0 } });
  // Which of them shows it first is a matter of time.
  expect(evidence.failure?.code).toMatch(/^(TargetsUnhealthy|AdminUnreachable|BreakerTripped|SmokeFailed)$/);
});
