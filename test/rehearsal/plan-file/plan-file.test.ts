import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parsePlan } from '../../../core/plan/plan';
import { parsePlanText, readPlanFile } from '../../../rehearsal/plan-file/plan-file';

const folder = mkdtempSync(join(tmpdir(), 'drainshift-plan-file-'));
afterAll(() => rmSync(folder, { recursive: true }));

const parse = (text: string) => parsePlanText({ name: 'file', file: 'plan.yaml' }, Buffer.from(text));

test('YAML with anchors, merge keys, and JSON with tabs', () => {
  const stages = 'stages:\n- &first { weights: &w { source: 50, target: 50 }, bakeSeconds: 60 }\n';
  const { stages: read } = parsePlan(parse(`${stages}- { <<: *first, weights: { <<: *w, source: 0 } }\n`));
  expect(read).toEqual([
    { weights: { source: 50, target: 50 }, bakeSeconds: 60 },
    { weights: { source: 0, target: 50 }, bakeSeconds: 60 },
  ]);
  expect(parse('{\n\t"pollSeconds": 5,\n\t"smoke": [\n\t\t{"path": "/"}\n\t]\n}')).toEqual({
    pollSeconds: 5,
    smoke: [{ path: '/' }],
  });
  expect(parse('pollSeconds: 5\n...\n')).toEqual({ pollSeconds: 5 });
});

test('the schema that a JSON file names is no part of the plan, in no other place', () => {
  expect(parse('{"$schema": "schemas/plan.json", "pollSeconds": 5}')).toEqual({ pollSeconds: 5 });
  expect(() => parsePlan(parse('{"$schema": 1}'))).toThrow("'plan.$schema' must be one of");
  expect(() => parsePlan(parse('{"drain": {"$schema": "x"}}'))).toThrow("'drain.$schema' must be one of");
});

const deep = Array.from({ length: 9 }, (_, at) => `a${at + 1}: &a${at + 1} [${`*a${at}, `.repeat(9)}]`).join('\n');

test.each([
  ['an empty file', '', 'a plan, got an empty file'],
  ['comments alone', '# nothing\n', 'a plan, got an empty file'],
  ['several documents', 'pollSeconds: 1\n---\npollSeconds: 2\n', 'one document, got 2'],
  ['a key twice', 'pollSeconds: 1\npollSeconds: 2\n', 'each key is there once, got pollSeconds again at line 2'],
  ['a key twice in JSON', '{"drain": {\n"jitter": 0,\n"jitter": 1}}', 'got "jitter" again at line 3'],
  ['no YAML', 'stages: [', 'JSON or YAML, got Flow sequence'],
  ['an alias without an anchor', 'drain: *none', 'JSON or YAML, got Unresolved alias'],
  ['an alias inside of its anchor', 'stages: &a [*a]', 'JSON or YAML, got an alias inside of its own anchor'],
  ['aliases that multiply', `a0: &a0 [1]\n${deep}`, 'JSON or YAML, got Excessive alias count'],
  ['a merge of something else', '<<: 1', 'JSON or YAML, got Merge sources must be maps'],
  ['an unknown tag', 'pollSeconds: !seconds 5', 'JSON or YAML, got Unresolved tag: !seconds'],
])('%s is rejected in one line', (_, text, rule) => {
  const read = () => parse(text);
  expect(read).toThrow(rule);
  expect(read).toThrow(/^'file' must be [^\n]+, in 'plan.yaml'$/);
});

test('a file is read in its encoding; one that is none, or not there, is named', () => {
  const file = join(folder, 'plan.yaml');
  writeFileSync(file, Buffer.from('\ufeffpollSeconds: 5\r\n', 'utf16le'));
  expect(readPlanFile({ name: '--plan', file })).toEqual({ pollSeconds: 5 });
  writeFileSync(file, Buffer.from('# é\n', 'latin1'));
  expect(() => readPlanFile({ name: '--plan', file })).toThrow(
    `'--plan' must be UTF-8, or UTF-16 with a byte order mark, got bytes that are not UTF-8, in '${file}'`,
  );
  expect(() => readPlanFile({ name: '--plan', file: folder })).toThrow("'--plan' must be a readable file, got");
  expect(() => readPlanFile({ name: '--plan', file: join(folder, 'none') })).toThrow('(ENOENT)');
});
