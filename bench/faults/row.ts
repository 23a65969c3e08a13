// One row in a process of its own: the addresses of a local cloud's tasks are drawn by the process that holds it.
import { FAULTS, type Phase } from './matrix.ts';
import { runRow } from './run.ts';

const [app = '', name = '', phase = ''] = process.argv.slice(2);
const fault = FAULTS.find((each) => each.name === name);
if (!fault) throw new Error(`a row must name a fault of the matrix, got '${name}'`);
process.send?.(await runRow(app, fault, phase as Phase), () => process.exit(0));
