// `npm run schemas` writes schemas/plan.json, the JSON Schema of the plan for editors, and the table of its fields in
// docs/operating.md, from the table that the reader of the plan uses. With `--check` it says instead whether both are current.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const require = createRequire(import.meta.url);
const { PLAN_FIELDS } = require('../dist/core/plan/plan.js');
const { buildJsonSchema } = require('../dist/core/validation/json-schema.js');
const { formatFieldTable } = require('../dist/core/validation/describe-fields.js');

const PAGE = 'docs/operating.md';
const TABLE = /(<!-- the fields of a plan: npm run schemas -->\n)[^]*?(\n<!-- end -->)/;

const read = (file) => {
  try {
    return readFileSync(join(ROOT, file), 'utf8');
  } catch {
    return '';
  }
};

const { homepage } = JSON.parse(read('package.json'));
const plan = buildJsonSchema(
  { id: new URL('schemas/plan.json', `${homepage.split('#')[0]}/`).href, title: 'The plan of a drainshift cutover' },
  PLAN_FIELDS,
);
const page = read(PAGE);
if (!TABLE.test(page)) throw new Error(`'${PAGE}' must have the marks of the plan's table, got none`);

const files = {
  'schemas/plan.json': `${JSON.stringify(plan, undefined, 2)}\n`,
  [PAGE]: page.replace(TABLE, (_, start, end) => `${start}\n${formatFieldTable(PLAN_FIELDS)}\n${end}`),
};
for (const [file, text] of Object.entries(files)) {
  if (text === read(file)) continue;
  if (process.argv.includes('--check')) {
    process.stderr.write(
      `'${file}' must be what the fields of a plan make of it, got an older one: run 'npm run schemas'\n`,
    );
    process.exitCode = 1;
  } else {
    mkdirSync(dirname(join(ROOT, file)), { recursive: true });
    writeFileSync(join(ROOT, file), text);
  }
}
