import { begin } from '../../../core/cutover/run';
import { parsePlan } from '../../../core/plan/plan';
import { FIRST_REGIME } from '../../../core/switch/regime';
import type { SwitchRecord } from '../../../core/switch/switch-record';
import { noteSwitch } from '../../../lambda/switch/switch-ports';

function attempt(epoch: number, bytes: number): SwitchRecord {
  const trace = { before: FIRST_REGIME, members: { source: 1, target: 0 }, names: ['x'.repeat(bytes)], events: [] };
  const what = { from: 'source', to: 'target', outcome: 'abort', by: 'night', fence: 'drained' } as const;
  return { ...what, epoch, startedAt: '2026-01-01T00:00:00.000Z', members: 1, abandoned: 0, maxWaiting: 0, trace };
}

test('the traces of the latest attempts stay in the state of a cutover, as many as there is room for', () => {
  let run = begin('night', '2026-01-01T00:00:00.000Z', parsePlan({}));
  for (let epoch = 1; epoch <= 5; epoch += 1) run = noteSwitch(run, attempt(epoch, 15_000), 0);
  expect(run.switches?.map(({ epoch, trace }) => [epoch, trace !== undefined])).toEqual([
    [1, false],
    [2, false],
    [3, false],
    [4, true],
    [5, true],
  ]);
  expect(JSON.stringify(run.switches).length).toBeLessThan(42_000);
});
