import { globSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import ts from 'typescript';

const ROOT = resolve(__dirname, '../..');
/** Where a limit would stand: behind the function. */
const HOOKS = ['beforeAll', 'beforeEach', 'afterAll', 'afterEach'];
const TESTS = ['test', 'it'];

/** The name that a call begins with: `test` of `test.each([1])('name', …)`. */
function findName(node: ts.Expression): string {
  if (ts.isIdentifier(node)) return node.text;
  if (ts.isParenthesizedExpression(node)) return findName(node.expression);
  if (ts.isConditionalExpression(node)) return findName(node.whenTrue);
  if (ts.isPropertyAccessExpression(node) || ts.isCallExpression(node)) return findName(node.expression);
  return ts.isTaggedTemplateExpression(node) ? findName(node.tag) : '';
}

/** Calls with a limit in them, as they are written. */
function findLimits(text: string): string[] {
  const found: string[] = [];
  const look = (node: ts.Node): void => {
    if (ts.isCallExpression(node)) {
      const name = findName(node.expression);
      const isEach = ts.isPropertyAccessExpression(node.expression) && node.expression.name.text === 'each';
      const limit = HOOKS.includes(name) ? node.arguments[1] : TESTS.includes(name) && !isEach && node.arguments[2];
      if (limit) found.push(`${name}: ${limit.getText()}`);
      if (node.expression.getText() === 'jest.setTimeout') found.push(node.getText());
    }
    ts.forEachChild(node, look);
  };
  look(ts.createSourceFile('test.ts', text, ts.ScriptTarget.Latest, true));
  return found;
}

test('no test has a time limit of its own', () => {
  const files = globSync('test/**/*.ts', { cwd: ROOT });
  expect(files.length).toBeGreaterThan(100);
  const found = files.flatMap((file) =>
    findLimits(readFileSync(join(ROOT, file), 'utf8')).map((limit) => `${file}: ${limit}`),
  );
  expect(found).toEqual([]);
});

test('a limit is found wherever it stands', () => {
  const text = [
    "test('a', () => undefined, 1_000);",
    "test.each([1])('b', () => undefined, LIMIT_MS);",
    'beforeAll(() => undefined, 2_000);',
    "test('c', () => undefined);",
    "(isThere ? test : test.skip)('d', () => undefined, 5);",
    'jest.setTimeout(3_000);',
  ].join('\n');
  expect(findLimits(text)).toEqual([
    'test: 1_000',
    'test: LIMIT_MS',
    'beforeAll: 2_000',
    'test: 5',
    'jest.setTimeout(3_000)',
  ]);
});
