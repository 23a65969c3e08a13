import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { RehearsalEvidence } from '../../../rehearsal/report/evidence';
import { hasBroker } from '../../capture/kafka/has-broker';
import { Command, FREE_PORTS, findProxies, shortPlan, synthesize, temporaryFolder } from '../command';

let folder: string;
let command: Command | undefined;
beforeAll(() => void (folder = temporaryFolder()));
afterAll(async () => {
  command?.signal('SIGKILL');
  await command?.ended;
  rmSync(folder, { recursive: true, force: true });
});

async function rehearse(store: 's3' | 'kafka') {
  const app = synthesize(join(folder, store), undefined, store);
  const json = join(folder, `${store}.json`);
  const args = ['--app', app, ...FREE_PORTS, ...shortPlan(folder), '--json', json];
  command = new Command(['rehearse', '--capture', store, ...args], { isWatched: true });
  const { code, output } = await command.ended;
  if (code !== 0) throw new Error(`the cutover must complete, got exit code ${code}:\n${output.slice(-4_000)}`);
  const { outcome, traffic, captureSeen } = JSON.parse(readFileSync(json, 'utf8')) as RehearsalEvidence;
  expect([outcome, traffic.http.failed]).toEqual(['completed', 0]);
  // Before the first stage.
  expect(output).toMatch(/the replay 'rehearsed' has sent [1-9]\d* requests/);
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
  expect(findProxies(app)).toEqual([]);
  expect(command.running()).toEqual([]);
  return { output, captureSeen };
}

test('a cutover whose source records its traffic loses nothing, and all that was recorded is in the bucket', async () => {
  const { output } = await rehearse('s3');
  expect(output).toMatch(
    /^ {2}capture {4}[\d,]+ requests recorded in [\d,]+ objects of s3:\/\/\S+, 0 rejected, 0 unrecorded, 0 lost$/m,
  );
});

if (hasBroker('a rehearsal that records in Kafka')) {
  test('in Kafka: all that was recorded is in the topic of a broker that ends with the rehearsal', async () => {
    const { output, captureSeen } = await rehearse('kafka');
    expect(captureSeen?.messages).toBeGreaterThan(captureSeen!.stored);
    expect(output).toMatch(
      /^ {2}capture {4}[\d,]+ requests recorded in [\d,]+ messages of kafka:\/\/127\.0\.0\.1:\d+\/logging-traffic-topic, 0 rejected, 0 unrecorded, 0 lost$/m,
    );
  });
}
