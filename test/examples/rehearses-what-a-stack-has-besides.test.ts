import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { RehearsalEvidence } from '../../rehearsal/report/evidence';
import { FREE_PORTS, run, shortPlan } from '../rehearsal/command';
import { install, pack, remove, ROOT, synthesize, Tarball } from './support/installed';

let tarball: Tarball;
beforeAll(() => {
  tarball = pack();
}, 120_000);
afterAll(() => remove(dirname(tarball.path)));

/** @returns the evidence of a rehearsal of this example */
async function rehearse(example: string, ...ports: string[]): Promise<RehearsalEvidence> {
  const folder = install(tarball, join(ROOT, 'examples', example));
  const { assembly } = synthesize(folder);
  const json = join(folder, 'evidence.json');
  const { code, output } = await run([
    ...['rehearse', '--app', assembly, '--json', json],
    ...[...shortPlan(folder), ...FREE_PORTS, ...ports],
  ]);
  expect([code, output]).toEqual([0, expect.stringContaining('nothing lost')]);
  const evidence = JSON.parse(readFileSync(json, 'utf8')) as RehearsalEvidence;
  remove(folder);
  return evidence;
}

test('a load balancer that exists already; a service that is no proxy, a session store and a redirect', async () => {
  // At the same time: both mostly wait.
  const [existing, chat] = await Promise.all([
    rehearse('existing-network'),
    rehearse('websocket-valkey', '--map-port', '80=0'),
  ]);
  expect(existing.rehearsal.adoption).toMatchObject({ shares: [10, 50, 100], failed: 0, isLossless: true });
  expect(existing.finalWeights).toEqual({ source: 0, target: 100 });
  expect(chat.finalWeights).toEqual({ source: 0, target: 100 });
}, 180_000);
