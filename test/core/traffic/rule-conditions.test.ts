import { RuleConditions, covers, mayOverlap, sameConditions } from '../../../core/traffic/rule-conditions';

const paths = (...pathPatterns: string[]): RuleConditions => ({
  pathPatterns,
  hostHeaders: [],
  hasOtherConditions: false,
});
const hosts = (...hostHeaders: string[]): RuleConditions => ({
  pathPatterns: [],
  hostHeaders,
  hasOtherConditions: false,
});

test.each([
  ['/*', '/shop/*', true],
  ['/shop/*', '/*', true],
  ['/shop/*', '/chat/*', false],
  ['/a*', '*b', true],
  ['/a*c', '/a?d', false],
  ['/a?c', '/ab*', true],
  ['*', '', true],
  ['?', '', false],
  ['/x*y*z', '/*q*', true],
  ['/Shop', '/shop', false],
])('paths %s and %s: some request may fulfil both: %s', (a, b, expected) => {
  expect(mayOverlap(paths(a), paths(b))).toBe(expected);
  expect(mayOverlap(paths(b), paths(a))).toBe(expected);
});

test.each([
  ['/*', '/shop/*', true],
  ['/shop/*', '/*', false],
  ['/shop/*', '/shop/a*', true],
  ['/a?c', '/abc', true],
  ['/a?c', '/a*c', false],
  ['/a*c', '/a?c', true],
  ['*', '/x*y', true],
  ['/*', '*', false],
  ['/a*b*', '/a*b', true],
  ['b', 'ab', false],
  ['', '', true],
  ['', 'a', false],
  ['a', '', false],
])('paths %s cover %s: %s', (outer, inner, expected) => {
  expect(covers(paths(outer), paths(inner))).toBe(expected);
});

test('no condition catches all; hosts are compared without case', () => {
  expect(covers(paths(), hosts('shop.example.com'))).toBe(true);
  expect(covers(hosts('shop.example.com'), paths('/*'))).toBe(false);
  expect(mayOverlap(paths(), paths('/a'))).toBe(true);
  expect(mayOverlap(paths('/a'), paths())).toBe(true);
  expect(covers(hosts('*.EXAMPLE.com'), hosts('Shop.example.com'))).toBe(true);
  expect(mayOverlap(hosts('shop.example.com'), hosts('chat.example.com'))).toBe(false);
  expect(mayOverlap(hosts('SHOP.example.com'), hosts('shop.*'))).toBe(true);
});

test('every value of the inner rule has to be covered; one that meets is enough to overlap', () => {
  expect(covers(paths('/a', '/b'), paths('/b', '/a'))).toBe(true);
  expect(covers(paths('/a'), paths('/a', '/b'))).toBe(false);
  expect(mayOverlap(paths('/a'), paths('/c', '/a'))).toBe(true);
  expect(mayOverlap(paths('/c', '/a'), paths('/a'))).toBe(true);
});

test('a condition of another kind may catch some, and never covers', () => {
  const other = { ...paths('/*'), hasOtherConditions: true };
  expect(mayOverlap(other, paths('/a'))).toBe(true);
  expect(covers(other, paths('/a'))).toBe(false);
  expect(covers(paths('/*'), other)).toBe(true);
});

test('values have no order', () => {
  expect(sameConditions(paths('/a', '/b'), paths('/b', '/a'))).toBe(true);
  expect(sameConditions(paths('/b', '/a'), paths('/a', '/b'))).toBe(true);
  expect(sameConditions(paths('/a'), paths('/a', '/b'))).toBe(false);
  expect(sameConditions(paths('/a'), hosts('/a'))).toBe(false);
});

test('the longest patterns with as many wildcards as fit are compared at once', () => {
  const wild = paths('*a'.repeat(64));
  expect(mayOverlap(wild, paths('*b'.repeat(64)))).toBe(false);
  expect(covers(wild, paths('?a'.repeat(64)))).toBe(true);
});
