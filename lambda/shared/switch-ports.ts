import { CutoverRun, note } from '../../core/cutover/run';
import { findWeights } from '../../core/traffic/forward';
import type { SwitchRecord } from '../../core/switch/switch-record';
import type { Ports } from '../contract/ports';
import type { SwitchPorts } from '../contract/switch-ports';

/** Of the attempts that the state of a cutover keeps. */
const MAX_RECORDS = 20;

export function switchPorts({ switches, proxies, loadBalancer, now, pause }: Ports): SwitchPorts {
  const { ruleArn, groupArns } = loadBalancer;
  const traffic: SwitchPorts['traffic'] = {
    targets: async (sides) => (await Promise.all(sides.map((side) => loadBalancer.registeredTargets(side)))).flat(),
    weights: async () => {
      const forward = (await loadBalancer.rules()).find(({ arn }) => arn === ruleArn)?.forward;
      return forward && findWeights(forward, groupArns);
    },
  };
  return { store: switches, listTasks: () => proxies.open(), traffic, now, pause };
}

export function noteSwitch(run: CutoverRun, record: SwitchRecord, nowMs: number): CutoverRun {
  const switches = [...(run.switches ?? []), record].slice(-MAX_RECORDS);
  return note({ ...run, switches }, nowMs, 'Switch', { ...record });
}
