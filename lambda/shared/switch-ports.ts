import { CutoverRun, note } from '../../core/cutover/run';
import type { SwitchRecord } from '../../core/switch/switch-record';
import type { Ports } from '../contract/ports';
import type { SwitchPorts } from '../contract/switch-ports';

/** Of the attempts that the state of a cutover keeps. */
const MAX_RECORDS = 20;

export function switchPorts({ switches, proxies, now, pause }: Ports): SwitchPorts {
  return { store: switches, listTasks: () => proxies.open(), now, pause };
}

export function noteSwitch(run: CutoverRun, record: SwitchRecord, nowMs: number): CutoverRun {
  const switches = [...(run.switches ?? []), record].slice(-MAX_RECORDS);
  return note({ ...run, switches }, nowMs, 'Switch', { ...record });
}
