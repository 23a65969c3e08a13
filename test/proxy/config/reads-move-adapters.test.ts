import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { loadMoveAdapters } from '../../../proxy/config/move-adapters';
import { listProblems, read } from '../support/settings';

const upstream = 'http://a';
const directory = mkdtempSync(join(tmpdir(), 'adapters-'));
afterAll(() => rmSync(directory, { recursive: true }));

function write(name: string, content: string): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}

const ADAPTER = `{ name: 'own', recognizes: () => true, follow: () => undefined }`;
const adaptersOf = (file: object, environment = {}) =>
  read({ file: { upstream, ...file }, environment }).moves!.adapters!;

test.each([
  [{}, ['socket.io', 'graphql-transport-ws']],
  [{ move_adapters: 'graphql-transport-ws' }, ['graphql-transport-ws']],
  [{ move_adapters: ['none'] }, []],
  [{ move_adapters: [] }, []],
])('%j: the adapters %j', (file, names) => {
  expect(adaptersOf(file)).toEqual({ names, rules: [] });
});

test.each([
  ['as adapter', `exports.adapter = ${ADAPTER}`],
  ['as its default', `exports.default = ${ADAPTER}`],
  ['alone', `module.exports = ${ADAPTER}`],
])('a module that exports an adapter %s, by a path from here', (_, content) => {
  const path = write(`Own-${content.length}.js`, content);
  const from = relative(process.cwd(), path);
  const config = adaptersOf({ move_adapters: ['socket.io', from.startsWith('.') ? from : `./${from}`] });
  expect(config.names).toEqual(['socket.io', path]);
  expect(loadMoveAdapters(config).map(({ name }) => name)).toEqual(['socket.io', 'own']);
});

test('rules come first, from a file or from a variable', () => {
  const rules = [
    { name: 'chat', path: '/chat', remember: 2, swallow: '1' },
    { name: 'phx', subprotocol: 'v2', remember: '/3=phx_join', swallow: '/3=phx_reply' },
  ];
  const expected = [
    { name: 'chat', path: '/chat', remember: { first: 2 }, swallow: { first: 1 } },
    {
      name: 'phx',
      subprotocol: 'v2',
      remember: { pointer: '/3', equals: 'phx_join' },
      swallow: { pointer: '/3', equals: 'phx_reply' },
    },
  ];
  const config = adaptersOf({ move_rules: rules });
  expect(config.rules).toEqual(expected);
  expect(adaptersOf({}, { DRAINSHIFT_MOVE_RULES: JSON.stringify(rules) }).rules).toEqual(expected);
  expect(loadMoveAdapters(config).map(({ name }) => name)).toEqual([
    'chat',
    'phx',
    'socket.io',
    'graphql-transport-ws',
  ]);
});

const NAMES = 'none, socket.io, graphql-transport-ws, and paths of modules (./NAME.js)';

test.each([
  [{ move_adapters: 'signalr' }, `'move_adapters' must be ${NAMES}, got "signalr"`],
  [
    { move_adapters: ['none', 'socket.io'] },
    `'move_adapters' must be 'none' alone, or names, got ["none","socket.io"]`,
  ],
  [
    { move_rules: 'no JSON' },
    `'move_rules' must be a list of at most 100 rules, in a flag or a variable as JSON, got "no JSON"`,
  ],
  [
    { move_rules: [{ name: 'a', remember: 'two', swallow: 0 }] },
    `'move_rules[0].remember' must be how many (2), or a JSON pointer and its value (/type=join), got "two"`,
  ],
  [
    { move_rules: [{ name: 'a', remember: 1, swallow: 0, path: 'chat' }] },
    `'move_rules[0].path' must be a path without a query, got "chat"`,
  ],
  [
    { move_rules: [{ name: 'a', remember: 1 }] },
    `'move_rules[0].swallow' must be how many (2), or a JSON pointer and its value (/type=join), got nothing`,
  ],
])('%j is a problem', (file, problem) => {
  expect(listProblems({ file: { upstream, ...file } })).toEqual([problem]);
});

test.each([
  ['missing.js', undefined, /Cannot find module/],
  ['syntax.js', 'export adapter', /./],
  ['throws.js', `throw new Error('no database')`, /no database/],
  ['empty.js', '', /its adapter has no 'name'/],
  ['half.js', `exports.adapter = { name: 'a', recognizes: () => true }`, /its adapter has no function 'follow'/],
])('a module that is no adapter is a problem of the start: %s', (name, content, why) => {
  const path = content === undefined ? join(directory, name) : write(name, content);
  const [problem, ...others] = listProblems({ file: { upstream, move_adapters: [path] } });
  expect(others).toEqual([]);
  expect(problem).toContain(`'move_adapters' must be ${NAMES} that export an adapter, got "${path}: `);
  expect(problem).toMatch(why);
});
