// One row in a process of its own: the addresses of a local cloud's tasks are drawn by the process that holds it.
import { FAULTS, type Phase } from './matrix';
import { runRow, type RowResult } from './run';
import { SWITCH_FAULTS, type SwitchPart } from './switch-matrix';
import { runSwitchRow } from './switch-run';

const [app = '', kind = '', name = '', phase = ''] = process.argv.slice(2);

function run(): Promise<RowResult> {
  const fault = FAULTS.find((each) => each.name === name);
  if (kind === 'gradual' && fault) return runRow(app, fault, phase as Phase);
  const ofSwitch = SWITCH_FAULTS.find((each) => each.name === name);
  if (kind === 'switch' && ofSwitch) return runSwitchRow(app, ofSwitch, phase as SwitchPart);
  throw new Error(`a row must name a fault of the matrix, got '${name}'`);
}

async function main(): Promise<void> {
  process.send?.(await run(), () => process.exit(0));
}

void main();
