import { CutoverRun, note } from '../../../core/cutover/run';
import { bake } from '../../../lambda/steps/bake';
import { confirm } from '../../../lambda/steps/confirm';
import { shift } from '../../../lambda/steps/shift';
import { MemoryCloud, report } from '../../lambda/world';
import { OPERATOR } from './night';

export const PLAN = {
  stages: [
    { weights: { source: 90, target: 10 }, bakeSeconds: 600 },
    { weights: { source: 0, target: 100 }, bakeSeconds: 600 },
  ],
  approval: { beforeLastStage: true },
};

/** As the steps return it: in the bake of its first stage, with traffic. */
export async function baking(): Promise<{ readonly memory: MemoryCloud; readonly state: CutoverRun }> {
  const memory = new MemoryCloud();
  memory.nowMs = Date.now() - 60_000;
  const ready = note(memory.ready(PLAN), memory.nowMs, 'Lock', { startedBy: OPERATOR });
  const confirmed = await confirm(await shift(ready, memory.ports, memory.nowMs), memory.ports, memory.nowMs);
  memory.nowMs += 30_000;
  memory.tasks = {
    source: [report('s1', { total: 4500, errors: 3, active: { http: 40, websocket: 5 } })],
    target: [report('t1', { total: 500, errors: 2, active: { websocket: 7 } })],
  };
  return { memory, state: await bake(confirmed, memory.ports, memory.nowMs) };
}
