// One row in a process of its own: the addresses of a local cloud's tasks are drawn by the process that holds it.
import { FAULTS, type Fault, type Phase } from './matrix';
import { runRow } from './run';

const [app = '', name = '', phase = ''] = process.argv.slice(2);
const fault = FAULTS.find((each) => each.name === name);
if (!fault) throw new Error(`a row must name a fault of the matrix, got '${name}'`);

async function main(found: Fault): Promise<void> {
  process.send?.(await runRow(app, found, phase as Phase), () => process.exit(0));
}

void main(fault);
