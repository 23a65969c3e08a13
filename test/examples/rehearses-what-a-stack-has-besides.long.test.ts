import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
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

/** The plan of the example, with a short bake. */
const SWITCH = {
  strategy: 'drainThenShift',
  switch: { pointOfNoReturn: 'shared', fence: 'epoch' },
  stages: [{ weights: { source: 0, target: 100 }, bakeSeconds: 60 }],
};

/** @returns the evidence of a rehearsal of this example, and what was rehearsed */
async function rehearse(example: string, plan?: object, ...ports: string[]): Promise<Rehearsed> {
  const folder = install(tarball, join(ROOT, 'examples', example));
  const { assembly } = synthesize(folder);
  const json = join(folder, 'evidence.json');
  const given = shortPlan(folder);
  if (plan) writeFileSync(given[1]!, JSON.stringify(plan));
  const { code, output } = await run([
    ...['rehearse', '--app', assembly, '--json', json],
    ...[...given, ...FREE_PORTS, ...ports],
  ]);
  if (code !== 0) throw new Error(`${example} must be rehearsed without a loss, got ${code}:\n${output.slice(-4_000)}`);
  expect(output).toContain('nothing lost');
  const evidence = JSON.parse(readFileSync(json, 'utf8')) as RehearsalEvidence;
  const [name = ''] = readdirSync(assembly).filter((each) => each.endsWith('.template.json'));
  const template = readFileSync(join(assembly, name), 'utf8');
  remove(folder);
  return { ...evidence, template };
}

test('a load balancer that exists already, with smoke requests to the targets; a service that is no proxy, a session store and a redirect; a switch', async () => {
  // At the same time: all mostly wait.
  const [existing, chat, writer] = await Promise.all([
    rehearse('existing-network'),
    rehearse('websocket-valkey', undefined, '--map-port', '80=0'),
    rehearse('single-writer', SWITCH),
  ]);
  expect(existing.rehearsal.adoption).toMatchObject({ percentages: [10, 50, 100], failed: 0, isLossless: true });
  expect(existing.finalWeights).toEqual({ source: 0, target: 100 });
  // Its steps and its proof have no right to look listeners up: their smoke requests went to the proxies themselves.
  expect(existing.template).toContain('smokeRoute');
  expect(existing.template).not.toContain('elasticloadbalancing:DescribeListeners"');
  expect(chat.finalWeights).toEqual({ source: 0, target: 100 });
  expect(writer.finalWeights).toEqual({ source: 0, target: 100 });
  const committed = writer.switches?.at(-1);
  expect(committed).toMatchObject({ outcome: 'commit', to: 'target', fence: 'epoch' });
  // A task that was replaced on a slow machine is a member, too, for as long as ECS lists it.
  expect(committed!.members).toBeGreaterThanOrEqual(4);
  const { writes, pause } = writer.switchSeen!;
  expect(writes).toMatchObject({ overlaps: 0, lost: 0, doubled: 0, staleEpochs: 0, responded: writes.sent });
  expect(Object.values(writes.bySide).every((count) => count > 0)).toBe(true);
  expect(pause.requests).toBeGreaterThan(0);
});
