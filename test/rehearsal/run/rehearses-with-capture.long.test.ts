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

test('a cutover whose source records its traffic loses nothing, and all that was recorded is in the bucket', async () => {
  const app = synthesize(folder, undefined, 's3');
  const json = join(folder, 'captured.json');
  command = new Command([
    'rehearse',
    '--capture',
    's3',
    '--app',
    app,
    ...FREE_PORTS,
    ...shortPlan(folder),
    '--json',
    json,
  ]);
  const { code, output } = await command.ended;
  if (code !== 0) throw new Error(`the cutover must complete, got exit code ${code}:\n${output.slice(-4_000)}`);
  const { outcome, traffic, captureSeen } = JSON.parse(readFileSync(json, 'utf8')) as RehearsalEvidence;
  expect([outcome, traffic.http.failed]).toEqual(['completed', 0]);
  expect(captureSeen).toMatchObject({
    refused: 0,
    unrecorded: 0,
    lost: 0,
    unreadable: 0,
    pendingBytes: 0,
    silentTasks: 0,
  });
  expect(captureSeen!.stored).toBeGreaterThanOrEqual(captureSeen!.recorded);
  expect(captureSeen!.recorded).toBeGreaterThan(100);
  expect(output).toMatch(
    /^ {2}capture {4}[\d,]+ requests recorded in [\d,]+ objects of s3:\/\/\S+, 0 rejected, 0 unrecorded, 0 lost$/m,
  );
  expect(findProxies(app)).toEqual([]);
});
