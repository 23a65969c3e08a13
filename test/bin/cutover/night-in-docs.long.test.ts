import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { looksKey, looksPrefix } from '../../../core/cutover/looks';
import { approveWatched } from '../../../lambda/steps/approve';
import { confirm } from '../../../lambda/steps/confirm';
import { shift } from '../../../lambda/steps/shift';
import { runToTheEnd } from '../../lambda/judged-traffic';
import { MemoryCloud } from '../../lambda/world';
import { Command, ROOT, run, temporaryFolder } from '../../rehearsal/command';
import { Night, lockOf, startNight } from './night';

const PLAN = {
  stages: [
    { weights: { source: 90, target: 10 }, bakeSeconds: 600 },
    { weights: { source: 0, target: 100 }, bakeSeconds: 600 },
  ],
  approval: { beforeLastStage: true },
};

/** The command lines of a section of a page, in their order. */
function listCommands(page: string, heading: string): string[] {
  const text = readFileSync(join(ROOT, 'docs', page), 'utf8');
  const section = text.split(/^## /m).find((each) => each.startsWith(`${heading}\n`)) ?? '';
  const blocks = [...section.matchAll(/^ *```sh\n([^]*?)^ *```$/gm)].map(([, block]) => block ?? '');
  return blocks.flatMap((block) => block.split('\n').map((line) => line.trim())).filter((line) => line !== '');
}

let night: Night;
const invoke = () => Promise.resolve({ readiness: 'ready', findings: [], notChecked: [] });
beforeEach(async () => (night = await startNight(PLAN, { invoke })));
afterEach(() => night.cloud.stop());

/** What is so before a command of the night, and what must be so after it. */
interface Scene {
  readonly before?: () => void | Promise<void>;
  readonly says: RegExp;
  readonly code?: number;
  readonly after?: () => void;
}

async function askingRun() {
  const memory = new MemoryCloud();
  memory.nowMs = Date.now() - 60_000;
  const ready = memory.ready(PLAN);
  const confirmed = await confirm(await shift(ready, memory.ports, memory.nowMs), memory.ports, memory.nowMs);
  const asking = await approveWatched({ ...confirmed, verdict: 'approve' }, memory.ports, Date.now());
  return { ...asking, execution: 'move-1' };
}

test('each command of the night in the docs does what the page says', async () => {
  const folder = temporaryFolder();
  const files: Record<string, string> = { 'plan.yaml': join(folder, 'plan.json') };
  for (const name of ['move-1.json', 'move-1.html']) files[name] = join(folder, name);
  const asking = await askingRun();
  const end = (...how: Parameters<Night['end']>) => setTimeout(() => night.end(...how), 300);
  const scenes: Record<string, Scene> = {
    doctor: { says: /^ready: / },
    start: { says: /started 'move-1'/ },
    status: {
      before: () => {
        night.write('lock.json', lockOf('move-1'));
        night.put('move-1', 'WaitForLastApproval', asking);
      },
      says: /^waits {4}for a person at 'lastStage'$/m,
    },
    watch: {
      before: () => void end('move-1', 'FAILED', 'RolledBack', 'because'),
      says: /ended: rolledBack: because/,
      code: 2,
      after: () => night.end('move-1', 'RUNNING'),
    },
    approve: { says: /approved 'lastStage' of 'move-1'/ },
    reject: { says: /rejected 'lastStage' of 'move-1'/ },
    abort: { says: /asked 'move-1' to stop/, after: () => expect(night.read('abort/move-1.json')).toBeDefined() },
    history: {
      before: async () => {
        night.cloud.objects.delete('store', 'lock.json');
        night.end('move-1', 'SUCCEEDED');
        const { evidence, looks } = await runToTheEnd();
        const ofThis = JSON.parse(JSON.stringify(evidence[0]).replaceAll('night', 'move-1')) as object;
        night.write('evidence/move-1.json', ofThis);
        looks.forEach((records, at) => night.write(looksKey(looksPrefix('move-1'), at + 1), records));
      },
      says: /move-1 +completed/,
    },
    evidence: { says: /wrote .*move-1\.json/ },
    verdict: { says: /^same: 2 verdicts and the odds of \d+ polls, computed again$/m },
    report: { says: /wrote .*move-1\.html/ },
    rollback: {
      before: () => night.shift(0, 100),
      says: /all traffic from the target to the source/,
    },
  };
  writeFileSync(files['plan.yaml']!, JSON.stringify(PLAN));
  const commands = listCommands('operating.md', 'A night');
  expect(commands.map((line) => line.split(' ')[2])).toEqual(Object.keys(scenes));
  for (const line of commands) {
    const [, , verb = '', ...words] = line.split(' ');
    const scene = scenes[verb]!;
    await scene.before?.();
    const given = words.map((word) => (word === 'STACK' ? 'shop' : (files[word] ?? word)));
    const asks = ['start', 'approve', 'reject', 'abort', 'rollback'].includes(verb) ? ['--yes'] : [];
    if (verb === 'rollback') {
      const back = new Command([verb, ...given, ...asks]);
      await back.says(/started 'rollback-/);
      const name = [...night.cloud.statesModel.executions.values()].at(-1)!.name;
      night.end(name, 'SUCCEEDED');
      expect((await back.ended).code).toBe(0);
      continue;
    }
    const { code, output } = await run([verb, ...given, ...asks]);
    expect([line, code, output]).toEqual([line, scene.code ?? 0, expect.stringMatching(scene.says)]);
    scene.after?.();
  }
});
