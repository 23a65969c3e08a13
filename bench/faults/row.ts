// One row in a process of its own: the addresses of a local cloud's tasks are drawn by the process that holds it.
import { parseAsked } from '../../rehearsal/faults/describe';
import { runRow, type RowResult } from './run';
import { SWITCH_FAULTS, type SwitchPart } from './switch-matrix';
import { runSwitchRow } from './switch-run';

const [app = '', kind = '', name = '', phase = ''] = process.argv.slice(2);

function run(): Promise<RowResult> {
  if (kind === 'gradual') return runRow(app, parseAsked(`${name}@${phase}`));
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
