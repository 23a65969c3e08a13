import { matchesParts, splitPattern } from '../../../core/text/wildcard';

test.each([
  ['/a', '/a', true],
  ['/a', '/ab', false],
  ['/a*', '/a', true],
  ['/a*', '/abc', true],
  ['*a', 'ba', true],
  ['*a', 'ab', false],
  ['/a*b*c', '/a-b-c', true],
  ['/a*b*c', '/a-c-b', false],
  ['/ab*ba', '/aba', false],
  ['*', '', true],
  ['/a.c', '/abc', false],
])('%s and %s: %s', (pattern, text, expected) => {
  expect(matchesParts(text, splitPattern(pattern))).toBe(expected);
});

test('a pattern of many parts takes a long text in one walk', () => {
  const parts = splitPattern(`${'*a'.repeat(30)}*b`);
  expect(matchesParts('a'.repeat(100_000), parts)).toBe(false);
});
