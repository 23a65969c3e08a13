// `npm run schemas` writes what is made of the two tables, of a plan's fields and of the proxy's settings: the JSON Schemas for
// editors (schemas/), and the tables in docs/operating.md and docs/proxy.md; and of the faults and what was measured of them, docs/faults.md. With `--check` it says instead whether all are current.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const require = createRequire(import.meta.url);
const { PLAN_FIELDS } = require('../dist/core/plan/plan.js');
const { SCENARIO_FIELDS } = require('../dist/core/scenario/fields.js');
const { buildSettingsSchema, formatSettingTable } = require('../dist/core/proxy/settings/describe-settings.js');
const { formatMoveRejections } = require('../dist/core/moves/moves.js');
const { SETTING_GROUPS } = require('../dist/core/proxy/settings/settings.js');
const { buildJsonSchema } = require('../dist/core/validation/json-schema.js');
const { formatFaultTable, formatPhaseTable } = require('../dist/rehearsal/faults/describe.js');
const { SWITCH_PARTS } = require('../dist/rehearsal/faults/switch-table.js');
const { formatMatrix, formatSwitchMatrix, formatTotals } = require('../dist/rehearsal/faults/results.js');
const { formatFieldTable } = require('../dist/core/validation/describe-fields.js');

const read = (file) => {
  try {
    return readFileSync(join(ROOT, file), 'utf8');
  } catch {
    return '';
  }
};

const { homepage } = JSON.parse(read('package.json'));
const schemaId = (file) => new URL(file, `${homepage.split('#')[0]}/`).href;

/** A page with a table between each of its marks. */
function withTables(file, tables) {
  return Object.entries(tables).reduce((page, [mark, table]) => {
    const place = new RegExp(`(<!-- ${mark} -->\n)[^]*?(\n<!-- end -->)`);
    if (!place.test(page)) throw new Error(`'${file}' must have the mark '${mark}', got none`);
    return page.replace(place, (_, start, end) => `${start}\n${table}\n${end}`);
  }, read(file));
}

const schema = (file, build) => ({ [file]: `${JSON.stringify(build(schemaId(file)), undefined, 2)}\n` });
const page = (file, tables) => ({ [file]: withTables(file, tables) });

const faultResults = JSON.parse(read('bench/faults/results.json'));

const files = {
  ...schema('schemas/plan.json', (id) =>
    buildJsonSchema({ id, title: 'The plan of a drainshift cutover' }, PLAN_FIELDS),
  ),
  ...schema('schemas/scenario.json', (id) =>
    buildJsonSchema({ id, title: 'The scenario of a drainshift rehearsal' }, SCENARIO_FIELDS),
  ),
  ...schema('schemas/proxy.json', buildSettingsSchema),
  ...page('docs/operating.md', { 'the fields of a plan: npm run schemas': formatFieldTable(PLAN_FIELDS) }),
  ...page('docs/faults.md', {
    'the phases: npm run schemas': formatPhaseTable(),
    'the faults: npm run schemas': formatFaultTable(),
    'the parts of a switch: npm run schemas': formatPhaseTable(SWITCH_PARTS),
    'the faults of a switch: npm run schemas': formatFaultTable(true),
    'the totals: npm run schemas': formatTotals(faultResults),
    'the matrix: npm run schemas': formatMatrix(faultResults),
    'the matrix of a switch: npm run schemas': formatSwitchMatrix(faultResults),
  }),
  ...page('docs/rehearsal.md', { 'the fields of a scenario: npm run schemas': formatFieldTable(SCENARIO_FIELDS) }),
  ...page(
    'docs/proxy.md',
    Object.fromEntries([
      ...SETTING_GROUPS.map((group) => [`settings: ${group}`, formatSettingTable(group)]),
      ['moves: rejections', formatMoveRejections()],
    ]),
  ),
};
for (const [file, text] of Object.entries(files)) {
  if (text === read(file)) continue;
  if (process.argv.includes('--check')) {
    process.stderr.write(`'${file}' must be what its table makes of it, got an older one: run 'npm run schemas'\n`);
    process.exitCode = 1;
  } else {
    mkdirSync(dirname(join(ROOT, file)), { recursive: true });
    writeFileSync(join(ROOT, file), text);
  }
}
