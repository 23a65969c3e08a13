import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { RehearsalEvidence } from '../../../rehearsal/report/evidence';
import { Command, FREE_PORTS, findProxies, shortPlan, synthesize, temporaryFolder } from '../command';

let folder: string;
let command: Command | undefined;
beforeAll(() => void (folder = temporaryFolder()));
afterAll(async () => {
  command?.signal('SIGKILL');
  await command?.ended;
  rmSync(folder, { recursive: true, force: true });
});

test('a cutover that drains and then shifts loses nothing, and the state goes along', async () => {
  const app = synthesize(folder, 'drain-then-shift');
  const json = join(folder, 'switched.json');
  const how = ['--strategy', 'drain-then-shift', '--state', 'http', ...shortPlan(folder), '--json', json];
  command = new Command(['rehearse', '--app', app, ...FREE_PORTS, ...how]);
  const { code, output } = await command.ended;
  if (code !== 0) throw new Error(`the cutover must complete, got exit code ${code}:\n${output.slice(-4_000)}`);
  const evidence = JSON.parse(readFileSync(json, 'utf8')) as RehearsalEvidence;
  expect([evidence.outcome, evidence.failure]).toEqual(['completed', undefined]);
  expect(evidence.finalWeights).toEqual({ source: 0, target: 100 });
  const { http, websocket, serverSentEvents } = evidence.traffic;
  expect(http).toMatchObject({ failed: 0, ok: http.sent });
  expect(websocket).toMatchObject({ lost: 0, duplicated: 0, outOfOrder: 0, received: websocket.sent });
  expect(serverSentEvents).toMatchObject({ lost: 0, duplicated: 0 });
  expect(evidence.rehearsal.weights.map(({ weights }) => weights)).toEqual([
    { source: 100, target: 0 },
    { source: 0, target: 100 },
  ]);
  expect(findProxies(app)).toEqual([]);
});
