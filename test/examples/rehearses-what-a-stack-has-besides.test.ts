import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { RehearsalEvidence } from '../../rehearsal/report/evidence';
import { FREE_PORTS, run, shortPlan } from '../rehearsal/command';
import { install, pack, remove, ROOT, synthesize, Tarball } from './support/installed';

let tarball: Tarball;
beforeAll(() => {
  tarball = pack();
});
afterAll(() => remove(dirname(tarball.path)));

interface Rehearsed extends RehearsalEvidence {
  readonly template: string;
}

/** @returns the evidence of a rehearsal of this example, and what was rehearsed */
async function rehearse(example: string, ...ports: string[]): Promise<Rehearsed> {
  const folder = install(tarball, join(ROOT, 'examples', example));
  const { assembly } = synthesize(folder);
  const json = join(folder, 'evidence.json');
  const { code, output } = await run([
    ...['rehearse', '--app', assembly, '--json', json],
    ...[...shortPlan(folder), ...FREE_PORTS, ...ports],
  ]);
  expect([code, output]).toEqual([0, expect.stringContaining('nothing lost')]);
  const evidence = JSON.parse(readFileSync(json, 'utf8')) as RehearsalEvidence;
  const [name = ''] = readdirSync(assembly).filter((each) => each.endsWith('.template.json'));
  const template = readFileSync(join(assembly, name), 'utf8');
  remove(folder);
  return { ...evidence, template };
}

test('a load balancer that exists already, with smoke requests to the targets; a service that is no proxy, a session store and a redirect', async () => {
  // At the same time: both mostly wait.
  const [existing, chat] = await Promise.all([
    rehearse('existing-network'),
    rehearse('websocket-valkey', '--map-port', '80=0'),
  ]);
  expect(existing.rehearsal.adoption).toMatchObject({ percentages: [10, 50, 100], failed: 0, isLossless: true });
  expect(existing.finalWeights).toEqual({ source: 0, target: 100 });
  // Its steps and its proof have no right to look listeners up: their smoke requests went to the proxies themselves.
  expect(existing.template).toContain('smokeRoute');
  expect(existing.template).not.toContain('elasticloadbalancing:DescribeListeners"');
  expect(chat.finalWeights).toEqual({ source: 0, target: 100 });
});
