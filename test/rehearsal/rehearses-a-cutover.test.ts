import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { RehearsalEvidence } from '../../rehearsal/report/evidence';
import { Command, FREE_PORTS, proxiesOf, synthesize, temporaryFolder } from './command';
import { KeptWorld } from './kept-world';

let folder: string;
let app: string;
const commands: Command[] = [];

beforeAll(() => {
  folder = temporaryFolder();
  app = synthesize(folder);
}, 60_000);
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
const evidenceOf = (file: string) => JSON.parse(readFileSync(join(folder, file), 'utf8')) as RehearsalEvidence;

describe('a cutover of four stages under traffic', () => {
  let command: Command;
  let world: KeptWorld;

  test('completes, loses nothing, and ends on the target with the source at zero', async () => {
    command = rehearse(
      '--speed',
      '150',
      '--keep',
      '--json',
      join(folder, 'completed.json'),
      '--report',
      join(folder, 'report.html'),
    );
    commands.pop();
    await command.says(/The world stays up until Ctrl-C/);
    world = await KeptWorld.of(command);

    const evidence = evidenceOf('completed.json');
    expect(evidence.traffic.failures).toEqual([]);
    expect(evidence.outcome).toBe('completed');
    expect(
      evidence.stages.map(({ weights, confirmed, verdict }) => [weights.source, weights.target, confirmed, verdict]),
    ).toEqual([
      [90, 10, true, 'promote'],
      [50, 50, true, 'promote'],
      [10, 90, true, 'promote'],
      [0, 100, true, 'promote'],
    ]);
    const { http, websocket, serverSentEvents } = evidence.traffic;
    expect(http).toMatchObject({ failed: 0, ok: http.sent });
    expect(websocket).toMatchObject({ lost: 0, duplicated: 0, outOfOrder: 0, dropped: 0, received: websocket.sent });
    expect(serverSentEvents).toMatchObject({ lost: 0, duplicated: 0, dropped: 0 });
    expect(websocket.opened).toBeGreaterThanOrEqual(200);
    expect(serverSentEvents.opened).toBeGreaterThanOrEqual(20);
    expect(evidence.finalWeights).toEqual({ source: 0, target: 100 });
    expect(evidence.drain.source).toEqual({ http: 0, websocket: 0, grpcStream: 0, serverSentEvents: 0 });
    expect(evidence.drain.closed).toBeGreaterThan(0);
    expect(evidence.drain.forced).toBe(0);
    expect(readFileSync(join(folder, 'report.html'), 'utf8')).toContain('<polygon');
  }, 120_000);

  test('leaves a world in which weights that a person sets hold for the very next requests', async () => {
    expect(await world.side()).toBe('target');
    await world.setWeights(1, 1);
    const sides = await Promise.all(Array.from({ length: 40 }, () => world.side()));
    expect([...new Set(sides)].sort()).toEqual(['source', 'target']);
    await world.setWeights(100, 0);
    expect(await world.side()).toBe('source');
    await expect(world.setWeights(1000, 0)).rejects.toMatchObject({ name: 'ValidationError' });
  });

  test('is put back when its execution is stopped, which runs no Catch', async () => {
    await world.stopCutover(await world.startCutover('stopped'));
    await world.weightsBecome([100]);
    expect(await world.evidence('stopped')).toMatchObject({ outcome: 'rolled-back', failure: { code: 'Aborted' } });
  });

  test('goes back by itself when an abort is requested in the store', async () => {
    const executionArn = await world.startCutover('aborted');
    await world.requestAbort('aborted');
    expect(await world.endOf(executionArn)).toEqual({ status: 'FAILED', error: 'RolledBack' });
    expect(await world.weights()).toEqual([100]);
    expect(await world.evidence('aborted')).toMatchObject({ outcome: 'rolled-back', failure: { code: 'Aborted' } });
  });

  test('ends every process on Ctrl-C, with the exit code of its verdict', async () => {
    expect(proxiesOf(app)).toHaveLength(4);
    command.signal('SIGINT');
    expect(await command.ended).toMatchObject({ code: 0 });
    expect(proxiesOf(app)).toEqual([]);
  });
});

test('a target that answers with errors is rolled back, and the evidence says how long it took', async () => {
  const { code } = await rehearse('--fault', 'target-errors', '--json', join(folder, 'fault.json')).ended;
  const evidence = evidenceOf('fault.json');
  expect(code).toBe(2);
  expect(evidence).toMatchObject({
    outcome: 'rolled-back',
    failure: { code: 'BreakerTripped' },
    finalWeights: { source: 100, target: 0 },
  });
  expect(evidence.stages.at(-1)?.verdict).toBe('rollBack');
  expect(evidence.traffic.http.failed).toBeGreaterThanOrEqual(10);
  expect(evidence.traffic.websocket).toMatchObject({ lost: 0, duplicated: 0, dropped: 0 });
  expect(evidence.rollback?.secondsFromFirstBadAnswer).toBeGreaterThan(0);
  expect(proxiesOf(app)).toEqual([]);
}, 120_000);

test('killed without a chance to clean up, it leaves no process behind', async () => {
  const command = rehearse();
  await command.says(/cutover '[^']+' started/);
  expect(proxiesOf(app)).toHaveLength(4);
  command.signal('SIGKILL');
  await command.ended;
  while (proxiesOf(app).length > 0) await new Promise((resolve) => setTimeout(resolve, 20));
}, 120_000);
