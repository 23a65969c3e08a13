import { readDrainOrder } from '../../../core/proxy/admin-api';
import { inCloseOrder } from '../../../core/proxy/close-order';
import { Problems } from '../../../core/validation/problems';

/** Those of these paths that go first. */
function first(pattern: string, paths: readonly string[]): string[] {
  const order = { paths: [{ path: pattern }], kinds: 'shortLivedFirst', age: 'oldestFirst' } as const;
  const all = ['/none', ...paths].map((path, enteredMs) => ({ kind: 'http' as const, enteredMs, path }));
  const ordered = inCloseOrder(all, order).map(({ path }) => path);
  return ordered.slice(0, ordered.indexOf('/none'));
}

test.each([
  ['/chat', ['/chat'], ['/chat/', '/chats', '/Chat', '/a/chat']],
  ['/chat/*', ['/chat/', '/chat/1', '/chat/1/2'], ['/chat', '/chats/1']],
  ['/*/feed', ['/a/feed', '/a/b/feed'], ['/feed', '/a/feeds']],
  ['/a*b*b', ['/abb', '/a1b2b'], ['/ab', '/abc']],
  ['/a*a', ['/aa', '/aba'], ['/a']],
  ['/a.c', ['/a.c'], ['/abc']],
])('%s matches the whole path', (pattern, matching, others) => {
  expect(first(pattern, [...others, ...matching])).toEqual(matching);
});

test('a path of a client that matches nearly takes no longer', () => {
  expect(first(`/${'*a'.repeat(120)}*b`, [`/${'a'.repeat(16_000)}`])).toEqual([]);
});

test('an order is read with its defaults, and its problems under its name', () => {
  const problems = new Problems();
  expect(readDrainOrder('', { order: { paths: [{ path: '/chat/*' }] } }, problems).order).toEqual({
    paths: [{ path: '/chat/*' }],
    kinds: 'shortLivedFirst',
    age: 'oldestFirst',
  });
  expect(readDrainOrder('', {}, problems).order).toBeUndefined();
  expect(problems.all).toEqual([]);
  readDrainOrder('', { order: { paths: [{ path: '/a?b' }], age: 'young', by: 'path' } }, problems);
  expect(problems.all).toEqual([
    '\'order.by\' must be one of paths, kinds, age, got "by"',
    "'order.paths[0].path' must be a path that starts with '/' and has neither a space nor a '#', without a query, of at most 256 characters, got \"/a?b\"",
    '\'order.age\' must be one of oldestFirst, youngestFirst, got "young"',
  ]);
  readDrainOrder('', { order: 'youngest' }, problems);
  expect(problems.all.at(-1)).toBe('\'order\' must be an object, got "youngest"');
});
