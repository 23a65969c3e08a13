import { CutoverRun, note } from '../../core/cutover/run';
import type { Ports } from '../contract/ports';
import { settle } from '../contract/settle';
import { switchOver } from './switch-over';
import { findCopyLeft, findHook, switchPorts } from './switch-ports';

/**
 * Ends the switch that another cutover has left undecided: it lost its lock, and no step of it may touch anything any more.
 * The one that holds the lock gives it up in its name, and thaws what a hook has frozen. Should that cutover be at work all the
 * same, the first decision stands.
 *
 * A plan without a switch leaves it to one that has its hook. What cannot be ended stays a finding of the preflight.
 */
export async function endLeftSwitch(run: CutoverRun, ports: Ports): Promise<CutoverRun> {
  const { plan, execution } = run;
  if (!plan.switch) return run;
  const read = await settle(() => ports.switches.readRegime());
  const left = 'value' in read ? read.value.regime : undefined;
  if (!left?.switching || left.switching.execution === execution) return run;
  const { to, execution: of } = left.switching;
  const findStop = () => Promise.resolve(`'${execution}' holds the lock now`);
  const { moves } = plan.drain;
  const hook = findHook(plan.switch, to, ports, findCopyLeft(to, plan));
  const asked = { to, execution: of, plan: plan.switch, findStop, moves, ...hook };
  const ended = await settle(() => switchOver(asked, switchPorts(ports)));
  const record = 'value' in ended ? ended.value : undefined;
  if (!record) return run;
  const { epoch, outcome, by, frozen } = record;
  return note(run, ports.now(), 'Switch', { epoch, to, outcome, by, leftBy: of, ...(frozen && { frozen }) });
}
