// `npm run images:switch -- EVIDENCE.json` draws the last switch in the evidence of a rehearsal that was committed into
// docs/images/switch.svg, as the page of a rehearsal draws it.
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const WIDTH = 860;
const built = (name) => createRequire(import.meta.url)(join(ROOT, 'dist/rehearsal/timeline', name));
const { switchImage } = built('switch-chart.js');
const { isTraced } = built('task-phases.js');

const [file] = process.argv.slice(2);
if (file === undefined) throw new Error("the evidence must be given, as 'npm run images:switch -- evidence.json'");
const { switches = [], switchSeen } = JSON.parse(readFileSync(file, 'utf8'));
const record = switches.findLast((each) => each.outcome === 'commit' && isTraced(each));
if (!record) throw new Error(`'${file}' must have a switch that was committed, got ${switches.length} attempts`);
const handover = switchSeen?.handovers?.find(({ epoch }) => epoch === record.epoch);
writeFileSync(join(ROOT, 'docs/images/switch.svg'), switchImage({ record, handover }, WIDTH));
