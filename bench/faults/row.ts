// One row in a process of its own: the addresses of a local cloud's tasks are drawn by the process that holds it.
import { listAsked } from '../../rehearsal/faults/table';
import { runRow, type RowResult } from './run';
import { SWITCH_FAULTS, type SwitchPart } from '../../rehearsal/faults/switch-table';
import { runSwitchRow } from './switch-run';

const [app = '', kind = '', name = '', phase = ''] = process.argv.slice(2);

function run(): Promise<RowResult> {
  const asked = kind !== 'switch' && listAsked().find((each) => each.name === name && each.phase === phase);
  if (asked) return runRow(app, asked);
  const ofSwitch = SWITCH_FAULTS.find((each) => each.name === name);
  if (ofSwitch) return runSwitchRow(app, ofSwitch, phase as SwitchPart);
  throw new Error(`a row must name a fault of the matrix, got '${name}'`);
}

async function main(): Promise<void> {
  process.send?.(await run(), () => process.exit(0));
}

// Its processes end with it.
process.on('disconnect', () => process.exit(1));
void main();
