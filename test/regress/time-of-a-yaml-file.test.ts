import { parseYamlDocument } from '../../proxy/config/yaml-document';
import { parsePlanText } from '../../rehearsal/plan-file/plan-file';

// The parser compares each key of a map with all others: a file of 1.8 MB had it busy for more than a minute. Levels of maps that are
// keys, and aliases, cost more with each one, and many levels used up the stack.

const read = (text: string) => parsePlanText({ name: 'file', file: 'plan.yaml' }, Buffer.from(text));
const keys = (count: number) => Array.from({ length: count }, (_, at) => `k${at}: 1`).join('\n');
const aliases = (count: number) =>
  Array.from({ length: count }, (_, at) => `k${at}: &a${at} 1\nl${at}: *a${at}`).join('\n');

test('many keys are read, and one that is there twice is found', () => {
  expect(Object.keys(read(keys(10_000)) as object)).toHaveLength(10_000);
  expect(() => read(`${keys(10_000)}\nk7: 2`)).toThrow('each key is there once, got k7 again at line 10001');
  expect(() => read('7: 1\n"7": 2')).toThrow('each key is there once, got "7" again at line 2');
});

test.each([
  ['lists', '['.repeat(101) + ']'.repeat(101)],
  ['so many that the stack does not hold them', '['.repeat(5_000) + ']'.repeat(5_000)],
  ['blocks', '- '.repeat(150) + '1'],
  ['objects', '{a: '.repeat(101) + '1' + '}'.repeat(101)],
  ['keys that are maps', '? '.repeat(400) + 'a'],
])('too many levels have a clear error: %s', (_, text) => {
  expect(() => read(text)).toThrow("'file' must be JSON or YAML of at most 100 levels, got more, in 'plan.yaml'");
});

test('what any of them needs is read', () => {
  expect(JSON.stringify(read('['.repeat(90) + ']'.repeat(90)))).toHaveLength(180);
  expect(Object.keys(read(aliases(500)) as object)).toHaveLength(1_000);
});

test('too many aliases and too long a text have a clear error', () => {
  expect(() => read(aliases(1_001))).toThrow('JSON or YAML with at most 1000 aliases, got more');
  expect(() => parseYamlDocument('a: 1\n'.repeat(3), 14)).toThrow('a text of at most 14 characters, got 15');
});
